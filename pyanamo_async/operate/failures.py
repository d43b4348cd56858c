"""Group failed items by their reason. Only the queue index is read, not the items.

The reason is how the first task that failed ended, and its last line of stderr. Numbers that differ from item to item
are left out.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator

from pyanamo_async.core.items import Summary
from pyanamo_async.core.values import Value

MAX_GROUPS = 10_000
OTHERS = "other reasons"

_ORIGIN = re.compile(r"(attempt \d+: )?(Task_\d+: )?")
_NUMBER = re.compile(r"(?<!exit status )(?<!killed by signal )\b\w*\d\w*")


class FailureGroup(Value):
    """Failed items that failed alike: their number, and one of them with its own words."""

    reason: str
    count: int
    example: str
    example_reason: str


def generalise(reason: str) -> str:
    """Return a reason without the numbers that make it one item's own; exit statuses stay."""
    return _NUMBER.sub("#", _ORIGIN.sub("", reason, count=1))


async def failures(failed: AsyncIterator[Summary]) -> list[FailureGroup]:
    """Group failed items by reason, the largest group first."""
    groups: dict[str, FailureGroup] = {}
    async for each in failed:
        reason = generalise(each.reason)
        if reason not in groups and len(groups) >= MAX_GROUPS:
            reason = OTHERS
        group = groups.get(reason)
        groups[reason] = FailureGroup(
            reason=reason,
            count=group.count + 1 if group else 1,
            example=group.example if group else each.item_id,
            example_reason=group.example_reason if group else each.reason,
        )
    return sorted(groups.values(), key=lambda group: -group.count)

"""Group failed and retrying items, or failed tasks, by their reason.

The reason is how the first task that failed ended, and its last line of stderr. For items the queue index knows it; for
tasks the failed items are read whole. Numbers that differ from one to the other are left out; those that are the same
in all of them stay.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator

from pyanamo_async.core.items import State, Summary, TaskState
from pyanamo_async.core.outcomes import Checkpointed
from pyanamo_async.core.selection import Selection
from pyanamo_async.core.values import Value, replace
from pyanamo_async.operate.selecting import select_items
from pyanamo_async.ports import Store

MAX_GROUPS = 10_000
OTHERS = "other reasons"
NO_FAILURES = (Checkpointed.reason, "interrupted: ", "out of memory with ")  # as reasons of items that wait begin

Failure = tuple[str, str, str, bool]  # a reason, the id of the item, the name of its task if known, whether it retries

_ORIGIN = re.compile(r"(attempt \d+: )?(Task_\d+: )?")
_NUMBER = re.compile(r"((?<!exit status )(?<!killed by signal )\b\w*\d\w*)")


class FailureGroup(Value):
    """Items, or tasks, that failed alike: their number, and one of them with its own words.

    Those that are `retrying` failed before, and wait to be tried again.
    `example` is the id of an item, `example_task` the name of its task if it is nested, or if tasks were grouped.
    """

    reason: str
    count: int
    example: str
    example_reason: str
    example_task: str = ""
    retrying: bool = False


Key = tuple[tuple[str, ...], bool]


class CommonReasons:
    """The reasons of many failures: those that differ in numbers only are one, which keeps the numbers that all have.

    Exit statuses and signals are no such numbers. After `MAX_GROUPS` reasons all others are one.
    """

    def __init__(self) -> None:
        self._parts: dict[Key, list[str]] = {}

    def add(self, reason: str, *, retrying: bool = False) -> Key:
        """Add the reason of a failure; return the key of the common one, of which there is another for retries."""
        parts = _NUMBER.split(_ORIGIN.sub("", reason, count=1))  # every other one is a number
        key = (tuple(parts[::2]), retrying)
        if key not in self._parts and len(self._parts) >= MAX_GROUPS:
            parts, key = [OTHERS], ((OTHERS,), retrying)
        common = self._parts.setdefault(key, parts)
        if common != parts:
            self._parts[key] = [one if one == other else "#" for one, other in zip(common, parts, strict=True)]
        return key

    def __getitem__(self, key: Key) -> str:
        return "".join(self._parts[key])


def task_of(reason: str) -> str:
    """Return the name of the task that a reason of a nested item begins with, or nothing."""
    found = _ORIGIN.match(reason)
    return (found[2] or "").removesuffix(": ") if found else ""


async def failures(failed: AsyncIterator[Summary]) -> list[FailureGroup]:
    """Group failed and retrying items by reason: first those that failed, of these the largest group."""
    return await _grouped(
        (each.reason, each.item_id, task_of(each.reason) if each.nested else "", each.is_retrying)
        async for each in failed
        if _has_failed(each)
    )


def _has_failed(each: Summary) -> bool:
    """Return whether a failure is what an item waits for; others wait for room, or go on from a checkpoint."""
    reason = _ORIGIN.sub("", each.reason, count=1)
    return each.state is State.FAILED or (reason != "" and not reason.startswith(NO_FAILURES))


async def failed_and_retrying(store: Store, sample: str | None) -> AsyncIterator[Summary]:
    """Yield the items that failed, then those that wait to be tried again."""
    async for each in store.summaries(state=State.FAILED, sample=sample):
        yield each
    async for each in store.retrying(sample=sample):
        yield each


async def task_failures(store: Store, sample: str | None) -> list[FailureGroup]:
    """Group the failed tasks of failed items by reason, the largest group first."""
    return await _grouped(_failed_tasks(store, Selection(states=[State.FAILED], sample=sample)))


async def _failed_tasks(store: Store, selection: Selection) -> AsyncIterator[Failure]:
    async for item in select_items(store, selection):
        for task in item.tasks:
            if task.state is TaskState.FAILED or not item.nested:
                record = task.record
                its_own = record.reason if record and (item.nested or record.attempt == item.attempt) else ""
                yield its_own or item.reason, item.item_id, task.name, False


async def _grouped(failed: AsyncIterator[Failure]) -> list[FailureGroup]:
    reasons = CommonReasons()
    groups: dict[Key, FailureGroup] = {}
    async for reason, item_id, task, retrying in failed:
        key = reasons.add(reason, retrying=retrying)
        group = groups.get(key) or FailureGroup("", 0, item_id, reason, task, retrying)
        groups[key] = replace(group, count=group.count + 1)
    found = [replace(group, reason=reasons[key]) for key, group in groups.items()]
    return sorted(found, key=lambda group: (group.retrying, -group.count))

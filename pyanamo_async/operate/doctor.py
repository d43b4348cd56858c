"""Examine a table and all that it stands on: first what would keep workers from working, then what they left behind."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from datetime import datetime, timedelta

from pyanamo_async.operate.findings import Finding, FindingKind
from pyanamo_async.operate.leftovers import left_behind
from pyanamo_async.operate.platform_checks import Scope, check_platform
from pyanamo_async.ports import OutputStore, Platform, Processes, Store

ENDS_IT = {
    FindingKind.REGION,
    FindingKind.CREDENTIALS,
    FindingKind.TABLE,
    FindingKind.TABLE_ROW,
    FindingKind.INDEX,
    FindingKind.BUCKET,
    FindingKind.RIGHT,
    FindingKind.CLOCK,
}
"""With one of these, what workers left behind cannot be looked for."""


async def examine(
    store: Store,
    outputs: OutputStore,
    *,
    older_than: timedelta,
    remove: bool,
    now: datetime,
    processes: Processes,
    platform: Platform | None = None,
    scope: Scope | None = None,
    note: Callable[[str], None] = lambda _: None,
) -> AsyncIterator[Finding]:
    """Find what is wrong with the platform, if there is one, then what was left behind, as far as that can be seen."""
    kinds = set()
    if platform and scope:
        async for finding in check_platform(platform, store, outputs, scope, note):
            kinds.add(finding.kind)
            yield finding
    if kinds & ENDS_IT:
        return
    async for finding in left_behind(
        store, outputs, older_than=older_than, remove=remove, now=now, processes=processes
    ):
        yield finding

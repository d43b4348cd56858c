"""Find what a fleet leaves behind that was killed.

Laws: what a living worker has under way is never a finding: its item is locked, under the very attempt. Nor is what
began a short while ago: the index may not show yet who holds its item. Temporary files of workers have no name, so
nothing of them can be left.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from pyanamo_async.core.items import SINGLE_TASK, State
from pyanamo_async.core.text.plural import plural
from pyanamo_async.core.workers import ProcessStatus, Worker
from pyanamo_async.fleet.membership import vanished
from pyanamo_async.fleet.reclaim import orphans
from pyanamo_async.operate.logs import STDOUT
from pyanamo_async.ports import OutputKey, OutputStore, Store, Unfinished

RECLAIM_HINT = "`pyanamo reclaim` puts them back; running workers do so by themselves"
REMOVE_HINT = "`pyanamo doctor --remove` removes it"


class FindingKind(StrEnum):
    """What may be wrong."""

    WORKER = "worker vanished"
    ORPHANS = "worker unknown"
    OUTPUT = "output unfinished"
    BENCH = "bench killed"


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that was left behind, since when, and how to be rid of it; `unfinished` is output to be discarded."""

    what: FindingKind
    which: str
    since: datetime
    hint: str
    unfinished: Unfinished | None = None


@dataclass(frozen=True, slots=True)
class Doctor:
    """Examines a table and its output, which is filed under `table`."""

    store: Store
    outputs: OutputStore
    table: str
    now: datetime
    process_status: Callable[[Worker], ProcessStatus]

    async def examine(self, *, older_than: timedelta) -> AsyncIterator[Finding]:
        """Find workers that vanished, items that nobody holds, and output that nobody finishes and is older than so."""
        left = [each async for each in self.outputs.unfinished(self.table) if self.now - each.since >= older_than]
        known = await self.store.workers()
        gone = vanished(known, now=self.now, process_status=self.process_status)
        async for finding in self._holders(gone):
            yield finding
        working = {worker.worker_id for worker in known} - {worker.worker_id for worker in gone}
        live = await self._live(working) if left else set()
        for each in left:
            if _attempt(each.location) not in live:
                yield Finding(FindingKind.OUTPUT, each.location, each.since, REMOVE_HINT, each)

    async def _holders(self, gone: Sequence[Worker]) -> AsyncIterator[Finding]:
        for worker in gone:
            held = len(await self.store.held(worker.worker_id))
            which = f"{worker.worker_id} with {plural(held, 'item')}"
            yield Finding(FindingKind.WORKER, which, worker.heartbeat, RECLAIM_HINT)
        async for items in orphans(self.store):
            since = min(item.locked_at or self.now for item in items)
            which = f"{items[0].worker} with {plural(len(items), 'item')}"
            yield Finding(FindingKind.ORPHANS, which, since, RECLAIM_HINT)

    async def _live(self, working: set[str]) -> set[tuple[str, str]]:
        """Tell which attempts run, as their output is stored."""
        locked = self.store.summaries(state=State.LOCKED)
        keys = [
            OutputKey(self.table, item.item_id, SINGLE_TASK, item.attempt, STDOUT)
            async for item in locked
            if item.worker in working
        ]
        return {_attempt(self.outputs.location(key)) for key in keys}


def _attempt(location: str) -> tuple[str, str]:
    """Tell the item's folder and the attempt in a location, which ends in `/<task>/<attempt>.<stream>.gz`."""
    folder, *_, file = location.rsplit("/", 2)
    return folder, file.partition(".")[0]

"""Find what a killed fleet left behind.

1. What a living worker has under way is never a finding: its item is locked, under that very attempt.
2. What began a short while ago is no finding: the index may not yet show who holds its item.
3. Temporary files of workers have no name, so none can be left.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from pyanamo_async.core.items import SINGLE_TASK, State
from pyanamo_async.core.text.plural import plural
from pyanamo_async.core.workers import Worker
from pyanamo_async.fleet.membership import VANISHED, ProcessProbe, conditions
from pyanamo_async.fleet.reclaim import orphans
from pyanamo_async.operate.logs import STDOUT
from pyanamo_async.ports import OutputKey, OutputStore, Store, UnfinishedOutput

RECLAIM_HINT = "`pyanamo reclaim` puts them back; running workers do so by themselves"
REMOVE_HINT = "`pyanamo doctor` with `remove` deletes it"


class FindingKind(StrEnum):
    """What may be wrong."""

    WORKER = "worker vanished"
    ORPHANS = "worker unknown"
    OUTPUT = "output unfinished"


@dataclass(frozen=True, slots=True)
class Finding:
    """Something left behind: what, since when, and what to do about it, which is nothing once it was `removed`."""

    kind: FindingKind
    what: str
    since: datetime
    hint: str
    unfinished: UnfinishedOutput | None = None
    removed: bool = False


@dataclass(frozen=True, slots=True)
class Doctor:
    """Examines a table and its output."""

    store: Store
    outputs: OutputStore
    output_namespace: str
    now: datetime
    probe: ProcessProbe

    async def examine(self, *, older_than: timedelta, remove: bool = False) -> AsyncIterator[Finding]:
        """Find vanished workers, items that nobody holds, and unfinished output that is older than `older_than`.

        With `remove` that output is deleted.
        """
        unfinished = [each async for each in self.outputs.unfinished(self.output_namespace)]
        old = [each for each in unfinished if self.now - each.since >= older_than]
        known = await conditions(self.store, now=self.now, process_status=self.probe)
        async for finding in self._holders([worker for worker, state in known if state in VANISHED]):
            yield finding
        working = {worker.worker_id for worker, state in known if state not in VANISHED}
        running = await self._running(working) if old else set()
        for each in old:
            if _attempt(each.location) not in running:
                finding = Finding(FindingKind.OUTPUT, each.location, each.since, REMOVE_HINT, each)
                yield await self._remove(finding, each) if remove else finding

    async def _remove(self, finding: Finding, unfinished: UnfinishedOutput) -> Finding:
        await self.outputs.discard(unfinished)
        return replace(finding, removed=True, hint="")

    async def _holders(self, gone: Sequence[Worker]) -> AsyncIterator[Finding]:
        for worker in gone:
            held = len(await self.store.held(worker.worker_id))
            what = f"{worker.worker_id} with {plural(held, 'item')}"
            yield Finding(FindingKind.WORKER, what, worker.heartbeat, RECLAIM_HINT)
        async for items in orphans(self.store):
            since = min(item.locked_at or self.now for item in items)
            what = f"{items[0].worker} with {plural(len(items), 'item')}"
            yield Finding(FindingKind.ORPHANS, what, since, RECLAIM_HINT)

    async def _running(self, working: set[str]) -> set[tuple[str, str]]:
        """Return the attempts that run, as `_attempt` has them."""
        locked = self.store.summaries(state=State.LOCKED)
        keys = [
            OutputKey(self.output_namespace, item.item_id, SINGLE_TASK, item.attempt, STDOUT)
            async for item in locked
            if item.worker in working
        ]
        return {_attempt(self.outputs.location(key)) for key in keys}


def _attempt(location: str) -> tuple[str, str]:
    """Return the item's folder and the attempt of a location, which ends in `/<task>/<attempt>.<stream>.gz`."""
    folder, *_, file = location.rsplit("/", 2)
    return folder, file.partition(".")[0]

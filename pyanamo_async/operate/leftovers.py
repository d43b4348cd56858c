"""Find what a killed fleet left behind, and clocks that are wrong.

1. What a living worker has under way is never a finding: its item is locked, under that very attempt.
2. What began a short while ago is no finding: the index may not yet show who holds its item.
3. A row that cannot be read is one, whether a worker has buried it or not, and none of the others. Rows that another
   program wrote or moved, which `adopt` puts in their place, are counted.
4. Temporary files of workers have no name, so none can be left.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from datetime import datetime, timedelta

from pyanamo_async.core.items import SINGLE_TASK, Item, State
from pyanamo_async.core.queue_lanes import LAST_ATTEMPTS
from pyanamo_async.core.stored.adoption import adopted
from pyanamo_async.core.text.plural import plural
from pyanamo_async.core.workers import clock_error
from pyanamo_async.errors import BadRow
from pyanamo_async.fleet.left_items import left_items
from pyanamo_async.fleet.membership import WorkerStatus, list_workers, living
from pyanamo_async.fleet.reclaim import gone_holders
from pyanamo_async.operate.findings import CLOCK_HINT, Finding, FindingKind
from pyanamo_async.operate.logs import STDOUT
from pyanamo_async.operate.selecting import pages
from pyanamo_async.ports import OutputKey, OutputStore, Processes, Store

RECLAIM_HINT = "`pyanamo reclaim` puts them back; running workers do so by themselves"
ROW_HINT = "import the item again with `on_exists` 'replace', or delete the row with the tools of the database"
STATE_HINT = "leave it to the program, or the later pyanamo, that wrote it; or delete it with the tools of the database"
WORKER_HINT = "a living worker mends it with its next heartbeat, but for orders; a silent one is taken over from"
SIZE_HINT = "start a worker on a machine that has it, or set a smaller `memory_bytes`"
LAST_HINT = (
    "start one on a machine that nobody takes away, or `pyanamo retry --state todo`, to leave them to all workers"
)
ADOPT_HINT = "`pyanamo table adopt` gives them their place in the queue"
REMOVE_HINT = "`pyanamo doctor` with `remove` deletes it"


async def left_behind(
    store: Store, outputs: OutputStore, *, older_than: timedelta, remove: bool, now: datetime, processes: Processes
) -> AsyncIterator[Finding]:
    """Find vanished workers, items locked by no known worker, bad rows, wrong clocks, and unfinished output.

    Output is left over when it is older than `older_than`; with `remove` it is deleted.
    """
    namespace = (await store.describe()).output_namespace
    unfinished = [each async for each in outputs.unfinished(namespace) if now - each.since >= older_than]
    workers = await list_workers(store, now=now, processes=processes)
    for finding in _clocks(workers, now, service_time=store.service_time(now=now)):
        yield finding
    async for finding in _holders(store, workers, now):
        yield finding
    for left in await left_items(store, [each.kind for each in living(workers)]):
        is_last = left.lane == LAST_ATTEMPTS
        kind, hint = (FindingKind.LAST, LAST_HINT) if is_last else (FindingKind.TOO_LARGE, SIZE_HINT)
        yield Finding(kind, str(left), None, hint)
    unknown = set()  # output that nobody can judge
    foreign = 0
    async for bad in store.unreadable():
        unknown.add(_attempt(outputs.location(OutputKey(namespace, bad.row_id, SINGLE_TASK, 0, STDOUT)))[0])
        if adopted(bad.row, now=now):
            foreign += 1
            continue
        kind, hint = _kind(bad)
        yield Finding(kind, f"{bad.row_id}: {bad.why}", None, hint)
    if foreign:
        yield Finding(FindingKind.FOREIGN, f"{plural(foreign, 'item')} of another program", None, ADOPT_HINT)
    if not unfinished:
        return
    vanished = {each.worker.worker_id for each in workers if each.vanished}
    working = {each.worker_id for each in await store.workers()} - vanished
    held = [each.item_id async for each in store.summaries(state=State.LOCKED) if each.worker in working]
    running = {
        _attempt(outputs.location(OutputKey(namespace, item.item_id, SINGLE_TASK, item.attempt, STDOUT, item.mark)))
        for page in pages(held)
        for item in await store.read_many(page)
    }
    for each in unfinished:
        attempt = _attempt(each.location)
        if attempt in running or attempt[0] in unknown:
            continue
        if remove:
            await outputs.discard(each)
        finding = Finding(FindingKind.OUTPUT, each.location, each.since, REMOVE_HINT, each)
        yield replace(finding, removed=True, hint="") if remove else finding


def _kind(bad: BadRow) -> tuple[FindingKind, str]:
    """Return what kind of row cannot be read, and what to do about it."""
    if bad.of_worker:
        return FindingKind.WORKER_ROW, WORKER_HINT
    if bad.row.get("ItemState", State.TODO) not in [*State]:
        return FindingKind.STATE, STATE_HINT
    return FindingKind.ROW, ROW_HINT


def _clocks(workers: list[WorkerStatus], now: datetime, *, service_time: datetime) -> Iterator[Finding]:
    """Find the clock of this machine wrong, or a heartbeat that says it of another."""
    if error := clock_error(now, service_time=service_time):
        yield Finding(FindingKind.CLOCK, f"this machine's is {error}", service_time, CLOCK_HINT)
    for each in (status.worker for status in workers):
        if each.heartbeat > service_time and (error := clock_error(each.heartbeat, service_time=service_time)):
            yield Finding(FindingKind.CLOCK, f"that of {each.worker_id} was {error}", each.heartbeat, CLOCK_HINT)


async def _holders(store: Store, workers: list[WorkerStatus], now: datetime) -> AsyncIterator[Finding]:
    """Find the workers that vanished, and those without a row that hold items."""
    for worker in (each.worker for each in workers if each.vanished):
        what = f"{worker.worker_id} with {plural(len(await store.held(worker.worker_id)), 'item')}"
        yield Finding(FindingKind.WORKER, what, worker.heartbeat, RECLAIM_HINT)
    for holder in await gone_holders(store):
        if items := await store.held(holder):
            since = min((each.locked_at or now for each in items if isinstance(each, Item)), default=None)
            yield Finding(FindingKind.ORPHANS, f"{holder} with {plural(len(items), 'item')}", since, RECLAIM_HINT)


def _attempt(location: str) -> tuple[str, str]:
    """Return the item's folder and the attempt of a location, which ends in `/<task>/<attempt>.<stream>.gz`."""
    folder, *_, file = location.rsplit("/", 2)
    return folder, file.partition(".")[0]

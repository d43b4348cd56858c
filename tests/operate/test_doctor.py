"""What the doctor finds, and what it leaves in peace."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import pytest

from pyanamo_async.core.platforms import Platform
from pyanamo_async.core.values import replace
from pyanamo_async.core.workers import ProcessStatus, Worker, WorkerState
from pyanamo_async.errors import BadRow
from pyanamo_async.operate.findings import Finding, FindingKind
from pyanamo_async.operate.leftovers import left_behind
from pyanamo_async.outputs.memory import MemoryOutputs
from pyanamo_async.ports import OutputKey, UnfinishedOutput
from pyanamo_async.store.memory import MemoryStore
from simulation.crew import FakeProcesses
from tests.contract.steps import a_worker
from tests.fakes import NOON, an_item

HOUR = timedelta(hours=1)


class Outputs(MemoryOutputs):
    """Output in memory, with some of which nobody knows whether it will be finished."""

    def __init__(self, *keys: OutputKey) -> None:
        super().__init__()
        self.left = keys

    async def unfinished(self, table: str) -> AsyncIterator[UnfinishedOutput]:
        for key in self.left:
            if key.table == table:
                yield UnfinishedOutput(self.location(key), NOON - 2 * HOUR, "mark")


@dataclass
class Ward:
    """A table with items and workers, and the findings."""

    store: MemoryStore = field(default_factory=MemoryStore)
    died: set[str] = field(default_factory=set)

    async def work(self, worker: Worker, *item_ids: str) -> None:
        await self.store.create(shards=1)
        await self.store.heartbeat(worker)
        await self.store.add([an_item(item_id) for item_id in item_ids])
        await self.store.claim(worker.worker_id, limit=len(item_ids), now=worker.heartbeat)

    async def find(self, *keys: OutputKey, older_than: timedelta = HOUR) -> list[Finding]:
        await self.store.create(shards=1)
        found = left_behind(
            self.store,
            Outputs(*keys),
            older_than=older_than,
            remove=False,
            now=NOON,
            processes=FakeProcesses(self._fate),
        )
        return [finding async for finding in found]

    def _fate(self, worker: Worker) -> ProcessStatus:
        return ProcessStatus.DIED if worker.worker_id in self.died else ProcessStatus.UNKNOWN


def key(item_id: str, attempt: int, task: str = "Task_0", stream: str = "stdout") -> OutputKey:
    return OutputKey("memory", item_id, task, attempt, stream)


class RemoteStore(MemoryStore):
    """A table whose service has another time than this machine."""

    behind = timedelta()

    def service_time(self, *, now: datetime) -> datetime:
        return now - self.behind


@pytest.mark.parametrize(
    ("behind", "error"),
    [(timedelta(minutes=15), "15m ahead"), (timedelta(minutes=-2), "2m behind"), (timedelta(seconds=30), "")],
)
async def test_a_clock_that_is_wrong_is_found(behind: timedelta, error: str) -> None:
    """This machine's, against the time of the service."""
    store = RemoteStore()
    store.behind = behind
    ward = Ward(store)
    found = await ward.find()

    assert [finding.what for finding in found] == ([f"this machine's is {error}"] if error else [])
    assert {finding.kind for finding in found} <= {FindingKind.CLOCK}


async def test_a_heartbeat_in_the_future_tells_of_a_wrong_clock() -> None:
    """On a table without a service every machine stamps by its own clock."""
    ward = Ward()
    await ward.work(a_worker("ahead", heartbeat=NOON + 15 * timedelta(minutes=1)))

    assert [finding.what for finding in await ward.find()] == ["that of ahead was 15m ahead"]


async def test_a_healthy_fleet_has_no_findings() -> None:
    """Neither a living worker nor one that said goodbye, nor what a living one has under way, whichever task's."""
    ward = Ward()
    await ward.work(a_worker("living"), "a", "b/c")
    await ward.work(a_worker("went home", heartbeat=NOON - HOUR, state=WorkerState.ENDED))

    assert await ward.find(key("a", 1), key("a", 1, "Task_7", "stderr"), key("b/c", 1)) == []


async def test_output_of_a_deleted_item_is_told_from_that_of_another_with_its_id() -> None:
    """Both are of attempt 1; the mark tells which of them a living worker writes."""
    ward = Ward()
    await ward.store.create(shards=1)
    await ward.store.add([an_item("a", mark="0000aaaa")])
    await ward.work(a_worker("living"), "a")
    theirs, left = replace(key("a", 1), mark="0000aaaa"), replace(key("a", 1), mark="1111bbbb")

    assert [finding.what for finding in await ward.find(theirs, left)] == [Outputs().location(left)]


async def test_workers_that_vanished_are_found_with_what_they_hold() -> None:
    """By their silence, by their death on this machine, or by what they left when they said goodbye."""
    ward = Ward(died={"died"})
    await ward.work(a_worker("silent", heartbeat=NOON - HOUR), "a", "b")
    await ward.work(a_worker("died"), "c")
    await ward.work(a_worker("left in haste", heartbeat=NOON - HOUR, state=WorkerState.ENDED), "d")
    await ward.work(a_worker("living"), "e")

    found = await ward.find()

    assert {finding.kind for finding in found} == {FindingKind.WORKER, FindingKind.ORPHANS}
    assert {finding.what for finding in found} == {
        "silent with 2 items",
        "died with 1 item",
        "left in haste with 1 item",
    }
    assert all("pyanamo reclaim" in finding.hint for finding in found)


async def test_items_that_no_living_worker_has_the_memory_for_are_found() -> None:
    """With what they need and what to do; those that a living worker takes are none."""
    ward = Ward()
    await ward.work(a_worker("w", platform=Platform(budget_bytes=16 << 30)))
    sizes = [(each, number) for each in (16, 64) for number in range(3)]
    await ward.store.add(
        [an_item(f"{each}-{number}", memory_class=each, memory_need_bytes=60 << 30) for each, number in sizes]
    )

    [found] = await ward.find()

    assert found.kind is FindingKind.TOO_LARGE
    assert found.what == "3 items need 60 GB of memory, and no living worker has that"


async def test_items_that_wait_for_last_attempts_are_found() -> None:
    """Where no living worker takes them, with what to do."""
    ward = Ward()
    await ward.work(a_worker("w"))
    await ward.store.add([an_item("a", last_attempts=True)])

    [found] = await ward.find()

    assert (found.kind, found.what) == (
        FindingKind.LAST,
        "1 item waits for a worker with `last_attempts`, and no living worker has that",
    )
    assert "pyanamo retry" in found.hint
    await ward.work(a_worker("last", last_attempts=True))
    assert await ward.find() == []


async def test_items_that_nobody_holds_are_found() -> None:
    """Held by a worker without a row."""
    ward = Ward()
    await ward.work(a_worker("forgotten", heartbeat=NOON - HOUR), "a", "b")
    await ward.work(a_worker("new"), "c")
    await ward.store.forget("forgotten")

    [found] = await ward.find()

    assert (found.kind, found.what, found.since) == (FindingKind.ORPHANS, "forgotten with 2 items", NOON - HOUR)


async def test_output_that_nobody_finishes_is_found() -> None:
    """Of an older attempt, of an item that is not running or not there, of a vanished worker; by its place."""
    ward = Ward(died={"died"})
    await ward.work(a_worker("living"), "a")
    await ward.work(a_worker("died"), "b")
    await ward.store.add([an_item("todo")])
    left = [key("a", 2), key("b", 1), key("todo", 1), key("gone", 1)]

    found = [finding for finding in await ward.find(key("a", 1), *left) if finding.kind is FindingKind.OUTPUT]

    assert [finding.what for finding in found] == [Outputs().location(each) for each in left]
    assert all(finding.unfinished and "`remove`" in finding.hint for finding in found)


async def test_what_is_young_is_left_alone() -> None:
    """Who holds its item may not show yet."""
    assert await Ward().find(key("a", 1), older_than=3 * HOUR) == []


async def test_rows_of_the_original_are_counted_and_not_listed() -> None:
    """There may be thousands, and one order gives all of them their place."""

    class Shared(MemoryStore):
        async def unreadable(self) -> AsyncIterator[BadRow]:
            for number in range(3):
                row = {"itemID": f"i{number}", "TaskScript": "true", "ItemState": "todo", "Lock_Date": "NULL"}
                yield BadRow(row, "Queue_Key is missing")

    [found] = await Ward(store=Shared()).find()

    assert (found.kind, found.what) == (FindingKind.FOREIGN, "3 items of another program")
    assert "`pyanamo table adopt`" in found.hint


async def test_output_of_a_row_that_cannot_be_read_is_left_alone() -> None:
    """Nobody can tell whether a living worker is writing it."""

    class Damaged(MemoryStore):
        async def unreadable(self) -> AsyncIterator[BadRow]:
            yield BadRow({"itemID": "a"}, "TaskScript is missing")

    found = await Ward(store=Damaged()).find(key("a", 1))

    assert [(each.kind, each.what, each.since) for each in found] == [
        (FindingKind.ROW, "a: TaskScript is missing", None)
    ]

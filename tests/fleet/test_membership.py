"""Workers, as a person sees and orders them."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta

import pytest

from pyanamo_async.core.values import replace
from pyanamo_async.core.workers import Desired, ProcessStatus, Worker, WorkerState
from pyanamo_async.fleet.membership import describe_worker, list_workers, living
from pyanamo_async.operate.workers import order
from pyanamo_async.store.memory import MemoryStore
from simulation.crew import FakeProcesses
from tests.fakes import NOON

ALIVE = Worker("alive", "h", NOON, NOON, timedelta(minutes=3))
STALE = replace(ALIVE, worker_id="stale", heartbeat=NOON - timedelta(hours=1))
DIED = replace(ALIVE, worker_id="died")
ENDED = replace(ALIVE, worker_id="ended", state=WorkerState.ENDED)
MARKED = replace(ALIVE, worker_id="marked", state=WorkerState.DEAD)
ALL = (ALIVE, STALE, DIED, ENDED, MARKED)


def process_status(worker: Worker) -> ProcessStatus:
    return ProcessStatus.DIED if worker.worker_id in {"died", "ended"} else ProcessStatus.UNKNOWN


@pytest.fixture
async def store() -> MemoryStore:
    made = MemoryStore()
    await made.create(shards=1)
    for worker in ALL:
        await made.heartbeat(worker)
    return made


def test_a_process_that_died_does_not_live_however_young_its_heartbeat() -> None:
    """What this machine knows of a process outweighs its row, unless that says that the worker ended."""
    described = (describe_worker(each, now=NOON, process_status=process_status(each)) for each in ALL)
    conditions = [str(each.condition) for each in described]

    assert conditions == ["alive", "stale", "died", "ended", "died"]


def test_a_worker_that_ended_is_never_stale() -> None:
    """Others are when their lease is over, and not a moment before."""
    late = {seconds: NOON + ALIVE.lease + timedelta(seconds=seconds) for seconds in (0, 1)}

    def at(worker: Worker, seconds: int) -> str:
        return describe_worker(worker, now=late[seconds], process_status=ProcessStatus.UNKNOWN).condition

    assert [at(ALIVE, 0), at(ALIVE, 1), at(ENDED, 1), at(MARKED, 1)] == ["alive", "stale", "ended", "died"]


def test_a_process_that_stands_still_is_called_so() -> None:
    """It lives until its lease is over; then others may take its items, and it still stands."""
    seen = {
        silent_s: describe_worker(ALIVE, now=NOON + timedelta(seconds=silent_s), process_status=ProcessStatus.STANDS)
        for silent_s in (0, 181)
    }

    assert {each.condition for each in seen.values()} == {"standing"}
    assert [each.vanished for each in seen.values()] == [False, True]
    assert [len(living([each])) for each in seen.values()] == [1, 0]


async def test_stale_lists_all_that_vanished(store: MemoryStore) -> None:
    """The silent and the dead, as `reclaim` treats them."""
    found = await list_workers(store, now=NOON, processes=FakeProcesses(process_status))

    assert {each.worker.worker_id for each in found if each.vanished} == {"stale", "died", "marked"}


async def test_all_are_those_that_live(store: MemoryStore) -> None:
    """The dead take no orders."""
    assert await order(
        store, None, Desired.DRAIN, everyone=True, now=NOON, processes=FakeProcesses(process_status)
    ) == ["alive"]


class _Elsewhere(MemoryStore):
    """A table whose service tells its time with its first reply, as DynamoDB does: this machine is an hour ahead."""

    has_replied = False

    async def workers(self, *, of: Collection[str] | None = None) -> list[Worker]:
        self.has_replied = True
        return await super().workers(of=of)

    def service_time(self, *, now: datetime) -> datetime:
        return now - timedelta(hours=1) if self.has_replied else now


async def test_heartbeats_are_judged_in_the_time_of_the_service() -> None:
    """A clock that is wrong here makes no healthy worker look silent, not even for the first question."""
    store = _Elsewhere()
    await store.create(shards=1)
    await store.heartbeat(ALIVE)
    now = NOON + timedelta(hours=1)
    found = await list_workers(store, now=now, processes=FakeProcesses())

    assert [worker.worker_id for worker in living(found)] == ["alive"]

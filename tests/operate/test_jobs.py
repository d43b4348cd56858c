"""The jobs of AWS Batch behind workers, with a fake at the port."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import pytest

from pyanamo_async.core.items import State
from pyanamo_async.core.values import replace
from pyanamo_async.core.workers import Worker, WorkerState
from pyanamo_async.fleet.membership import list_workers
from pyanamo_async.operate.jobs import STOPPED_FOR_GOOD, worker_jobs
from pyanamo_async.operate.workers import ReclaimResult, reclaim
from pyanamo_async.ports import NO_LONGER_KNOWN, Job, JobRun, JobService
from pyanamo_async.store.memory import MemoryStore
from simulation.crew import FakeProcesses
from tests.fakes import NOON, an_item

JOB = "0a1b2c3d-0000-4000-8000-00000000000a"
LEASE = timedelta(hours=12)
SPOT = "Host EC2 (instance i-0123456789abcdef0) terminated."
ONE_SECOND = timedelta(seconds=1)


@dataclass
class FakeJobs(JobService):
    """The jobs that are known, and which were asked for."""

    known: Mapping[str, Job] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    async def states(self, job_ids: Collection[str]) -> Mapping[str, Job]:
        self.asked += job_ids
        return {each: self.known.get(each) or Job(each, NO_LONGER_KNOWN) for each in job_ids}


async def holding(*workers: Worker) -> MemoryStore:
    """A table in which each of these workers holds an item that is called like it."""
    store = MemoryStore()
    await store.create(shards=1)
    for worker in workers:
        await store.heartbeat(worker)
        await store.add([an_item(f"of {worker.worker_id}")])
        await store.claim(worker.worker_id, limit=1, now=NOON)
    return store


def a_worker(job: str = JOB, *, attempt: int = 1, nonce: str = "00000001") -> Worker:
    return Worker(f"{job}-{nonce}", "h", NOON, NOON, LEASE, job=f"{job} attempt {attempt}")


def ended(reason: str, stopped: datetime = NOON) -> Job:
    run = JobRun(started=NOON - LEASE, stopped=stopped, exit_code=1, reason=reason)
    return Job(JOB, "FAILED", run, (run,))


async def put_back(store: MemoryStore, jobs: FakeJobs, now: datetime, *, dry_run: bool = False) -> ReclaimResult:
    """Reclaim as the API does."""
    behind = await worker_jobs(store, jobs)
    workers = await list_workers(store, now=now, processes=FakeProcesses())
    return await reclaim(
        store, workers, crash_limit=5, dry_run=dry_run, now=now, processes=FakeProcesses(), jobs=behind
    )


async def test_each_holder_has_its_job_and_its_items() -> None:
    """Children of arrays too; a worker that Batch did not start has none, and one without items is not asked for."""
    child, elsewhere, idle = a_worker(f"{JOB}:17"), replace(a_worker(), worker_id="laptop-1", job=""), a_worker()
    store = await holding(child, elsewhere)
    await store.heartbeat(idle)
    jobs = FakeJobs({f"{JOB}:17": replace(ended(SPOT), job_id=f"{JOB}:17")})

    found = await worker_jobs(store, jobs)

    assert jobs.asked == [f"{JOB}:17"]
    assert [(each.worker_id, each.job_id, each.status, each.item_ids) for each in found] == [
        (child.worker_id, f"{JOB}:17", "FAILED", (f"of {child.worker_id}",)),
        ("laptop-1", "", "", ("of laptop-1",)),
    ]
    assert found[0].run.reason == SPOT


async def test_a_worker_is_judged_by_its_own_attempt() -> None:
    """Spot took the first, and the second runs: the same job, two workers."""
    first, second = a_worker(), a_worker(attempt=2, nonce="00000002")
    store = await holding(first, second)
    job = Job(JOB, "RUNNING", JobRun(started=NOON), (JobRun(NOON - LEASE, NOON, 1, SPOT),))
    now = NOON + STOPPED_FOR_GOOD + ONE_SECOND

    result = await put_back(store, FakeJobs({JOB: job}), now)

    assert result.reclaimed == 1
    assert (await store.read(f"of {first.worker_id}")).state is State.TODO
    assert (await store.read(f"of {second.worker_id}")).state is State.LOCKED


@pytest.mark.parametrize(
    ("reason", "crashes", "interruptions"), [(SPOT, 0, 1), ("Essential container in task exited", 1, 0)]
)
async def test_a_host_that_was_taken_costs_an_interruption(reason: str, crashes: int, interruptions: int) -> None:
    """Any other end of a job costs a crash, as a worker that vanished does."""
    worker = a_worker()
    store = await holding(worker)

    await put_back(store, FakeJobs({JOB: ended(reason)}), NOON + STOPPED_FOR_GOOD + ONE_SECOND)

    item = await store.read(f"of {worker.worker_id}")
    assert (item.state, item.crashes, item.interruptions) == (State.TODO, crashes, interruptions)
    assert ("lost its host: Host EC2" in item.reason) is (reason == SPOT)
    assert await store.workers() == []


async def test_a_job_that_stopped_just_now_keeps_its_items() -> None:
    """Its container may run for two minutes more."""
    store = await holding(a_worker())
    jobs = FakeJobs({JOB: ended(SPOT)})

    assert (await put_back(store, jobs, NOON + STOPPED_FOR_GOOD)).reclaimed == 0
    later = NOON + STOPPED_FOR_GOOD + ONE_SECOND
    assert list((await put_back(store, jobs, later, dry_run=True)).item_ids) == [f"of {a_worker().worker_id}"]
    assert (await put_back(store, jobs, later)).reclaimed == 1


async def test_a_worker_that_still_sends_heartbeats_keeps_its_items() -> None:
    """Whatever Batch says of its job."""
    worker = a_worker()
    store = await holding(worker)
    later = NOON + STOPPED_FOR_GOOD + ONE_SECOND
    await store.heartbeat(replace(worker, heartbeat=later))

    assert (await put_back(store, FakeJobs({JOB: ended(SPOT)}), later)).reclaimed == 0


async def test_a_job_that_is_no_longer_known_says_nothing() -> None:
    """Its worker is judged by its heartbeat: it may be a job of another region."""
    worker = a_worker()
    store = await holding(worker)

    [found] = await worker_jobs(store, FakeJobs())
    assert (found.status, found.attempt, found.item_ids) == (NO_LONGER_KNOWN, 1, (f"of {worker.worker_id}",))
    assert (await put_back(store, FakeJobs(), NOON + LEASE / 2)).reclaimed == 0
    assert (await put_back(store, FakeJobs(), NOON + 2 * LEASE)).reclaimed == 1


@pytest.mark.parametrize("job", [JOB, f"{JOB}:3"])
async def test_a_worker_whose_row_is_gone_is_known_by_its_id(job: str) -> None:
    """It begins with that of its job; its host may have been taken, which is no crash."""
    worker = a_worker(job)
    store = await holding(worker)
    await store.forget(worker.worker_id)
    jobs = FakeJobs({job: replace(ended(SPOT), job_id=job)})

    await put_back(store, jobs, NOON + ONE_SECOND)

    assert jobs.asked == [job]
    item = await store.read(f"of {worker.worker_id}")
    assert (item.state, item.crashes, item.interruptions) == (State.TODO, 0, 1)


async def test_a_worker_that_ended_is_not_marked_dead() -> None:
    """What it left behind goes back as that of any that ended."""
    worker = replace(a_worker(), state=WorkerState.ENDED)
    store = await holding(worker)

    assert (await put_back(store, FakeJobs({JOB: ended("exited")}), NOON + LEASE / 2)).reclaimed == 1
    assert [each.state for each in await store.workers()] == [WorkerState.ENDED]

"""Find what became of the AWS Batch jobs behind the workers that hold items.

1. A job's id repeats across its attempts. A worker says in its row which attempt it is, and is judged by that one.
2. A worker whose job stopped counts as dead `STOPPED_FOR_GOOD` later: until then its container may still run. One that
   sent a heartbeat after that time lives, whatever Batch says.
3. A job that Batch no longer knows says nothing about its worker, which is judged by its heartbeat like any other.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime, timedelta

from pyanamo_async.core.items import State
from pyanamo_async.core.values import Value
from pyanamo_async.core.workers import Worker
from pyanamo_async.ports import Job, JobRun, JobService, Store

STOP_TIMEOUT = timedelta(seconds=120)
"""The longest that a container may take to end on Fargate: `stopTimeout` in the ECS task definition parameters."""
STOPPED_FOR_GOOD = STOP_TIMEOUT + timedelta(seconds=30)  # for clocks, and for the kill itself
HOST_LOST = "Host EC2"  # how the reason begins when the instance was taken: "Automated job retries" in Batch's guide
_JOB = r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}(?::\d+)?"
_OF_ROW = re.compile(rf"({_JOB})(?: attempt (\d+))?")
_OF_WORKER = re.compile(rf"({_JOB})-[0-9a-f]{{8}}()")  # its id ends with a nonce


class WorkerJob(Value):
    """The job behind a worker that holds items: its status in Batch's words, and how the worker's own run of it went.

    `job_id` is empty for a worker that is none of Batch's; then the status is empty, too. `attempt` is which of the
    job's attempts the worker is, 0 if that is unknown.
    """

    worker_id: str
    item_ids: tuple[str, ...]
    job_id: str = ""
    attempt: int = 0
    status: str = ""
    run: JobRun = JobRun()

    @property
    def lost_its_host(self) -> bool:
        """Whether its instance was taken, as by Spot: no item is to blame for that."""
        return self.run.reason.startswith(HOST_LOST)

    def is_over(self, *, now: datetime, heartbeat: datetime | None = None) -> bool:
        """Return whether its container has ended for good; `heartbeat` is the last of its worker."""
        stopped = self.run.stopped
        if stopped is None or now - stopped <= STOPPED_FOR_GOOD:
            return False
        return heartbeat is None or heartbeat <= stopped + STOPPED_FOR_GOOD


async def worker_jobs(store: Store, jobs: JobService) -> list[WorkerJob]:
    """List the workers that hold items, by id, with the jobs behind them."""
    held: dict[str, list[str]] = {}
    async for item in store.summaries(state=State.LOCKED):
        held.setdefault(item.worker, []).append(item.item_id)
    rows = {each.worker_id: each for each in await store.workers(of=held)} if held else {}
    named = {worker_id: _job_of(worker_id, rows) for worker_id in held}
    known = await jobs.states({job_id for job_id, _ in named.values() if job_id})
    return [
        _worker_job(worker_id, tuple(sorted(held[worker_id])), attempt, known.get(job_id))
        for worker_id, (job_id, attempt) in sorted(named.items())
    ]


def _job_of(worker_id: str, rows: Mapping[str, Worker]) -> tuple[str, int]:
    """Return the id of a worker's job, and which attempt it is: from its row, or from its own id if that is gone."""
    row = rows.get(worker_id)
    found = _OF_ROW.fullmatch(row.job) if row and row.job else _OF_WORKER.fullmatch(worker_id)
    return (found[1], int(found[2] or 0)) if found else ("", 0)


def _worker_job(worker_id: str, item_ids: tuple[str, ...], attempt: int, job: Job | None) -> WorkerJob:
    if job is None:
        return WorkerJob(worker_id, item_ids)
    run = job.attempts[attempt - 1] if 0 < attempt <= len(job.attempts) else job.run
    return WorkerJob(worker_id, item_ids, job.job_id, attempt, job.status, run)

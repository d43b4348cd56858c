"""The jobs of AWS Batch that are the workers of a table."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Mapping
from datetime import datetime
from typing import Protocol

from pyanamo_async.core.values import Value

NO_LONGER_KNOWN = "no longer known"
"""The status of a job that Batch has forgotten, or that another region or account has."""


class JobRun(Value):
    """One run of a job: when it started and stopped, its exit code, and why Batch says that it is as it is."""

    started: datetime | None = None
    stopped: datetime | None = None
    exit_code: int | None = None
    reason: str = ""


class Job(Value):
    """A job: its status in Batch's words, its attempts in their order, and `run`, the job as a whole."""

    job_id: str
    status: str
    run: JobRun = JobRun()
    attempts: tuple[JobRun, ...] = ()


class JobService(Protocol):
    """Ask what became of jobs."""

    async def states(self, job_ids: Collection[str]) -> Mapping[str, Job]:
        """Return the jobs of these ids, each of them: one that is not known has the status `NO_LONGER_KNOWN`.

        A child of an array is named by the id of the array, a colon and its index.
        """
        ...


class JobOrder(Value):
    """Jobs to submit: `size` of them as an array, 1 as a plain job.

    `container` is the name of the container that gets the variables, where the job definition names one.
    """

    name: str
    queue: str
    definition: str
    size: int
    environment: Mapping[str, str]
    tags: Mapping[str, str] = {}
    share: str = ""
    container: str = ""


class FleetJob(Value):
    """A job, or an array of `size`: its status in Batch's words, and how many are in which for an array.

    `reason` is why Batch says that it is so.
    """

    job_id: str
    name: str
    queue: str
    status: str
    created: datetime
    size: int = 1
    by_status: Mapping[str, int] = {}
    reason: str = ""

    @property
    def is_over(self) -> bool:
        """Whether it has ended, of an array each of its jobs."""
        return self.status in {"SUCCEEDED", "FAILED"}


class FleetJobs(Protocol):
    """Submit, list and end jobs."""

    async def submit(self, order: JobOrder) -> str:
        """Submit jobs and return their id."""
        ...

    def jobs(self, table: str, *, queue: str | None = None) -> AsyncIterator[FleetJob]:
        """Yield the jobs and arrays of a table, those that ended too, as long as Batch knows them."""
        ...

    async def waiting_reason(self, job: FleetJob) -> str:
        """Return why Batch says that a job, or the first job of an array, does not start; empty if it does not say."""
        ...

    async def failed_with(self, job: FleetJob) -> list[int]:
        """Return the exit codes of a job that failed, or of the jobs of an array that did, a hundred at most.

        A job that was ended before it started has none.
        """
        ...

    async def front(self, queue: str) -> list[str]:
        """Return the ids of the first hundred jobs that wait in a queue, the first one first."""
        ...

    async def cancel(self, job_ids: Collection[str], reason: str) -> None:
        """Cancel what has not started of jobs and arrays; what runs goes on, and may be retried."""
        ...

    async def terminate(self, job_ids: Collection[str], reason: str) -> None:
        """End jobs and arrays: what runs gets SIGTERM, then SIGKILL; nothing of them is retried."""
        ...

"""The jobs of AWS Batch that are the workers of a table."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Mapping
from datetime import datetime
from typing import Protocol

from pyanamo_async.core.values import Value


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

    async def front(self, queue: str) -> list[str]:
        """Return the ids of the first hundred jobs that wait in a queue, the first one first."""
        ...

    async def cancel(self, job_ids: Collection[str], reason: str) -> None:
        """Cancel what has not started of jobs and arrays; what runs goes on, and may be retried."""
        ...

    async def terminate(self, job_ids: Collection[str], reason: str) -> None:
        """End jobs and arrays: what runs gets SIGTERM, then SIGKILL; nothing of them is retried."""
        ...

"""The jobs of AWS Batch behind workers."""

from __future__ import annotations

from collections.abc import Collection, Mapping
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

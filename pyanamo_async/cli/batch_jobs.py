"""How `pyanamo batch` shows jobs and arrays, for people and as JSON."""

from __future__ import annotations

from pyanamo_async import FleetJob
from pyanamo_async.cli.console import on_terminal
from pyanamo_async.cli.listing import Column
from pyanamo_async.cli.views import clock_time, short_time
from pyanamo_async.core.stored.queue_key import format_time


def _state(job: FleetJob) -> str:
    return ", ".join(f"{number:,} {status}" for status, number in job.by_status.items()) or job.status


COLUMNS = (
    Column("job", show=lambda job: job.job_id),
    Column("jobs", rank=5, right=True, show=lambda job: f"{job.size:,}"),  # the states of an array show it, too
    Column("state", rank=1, cut=True, show=_state),
    Column("submitted", rank=4, show=lambda job: (short_time if on_terminal() else clock_time)(job.created)),
    Column("queue", rank=3, show=lambda job: job.queue),
    Column("reason", rank=2, cut=True, show=lambda job: job.reason),
)


def job_json(job: FleetJob) -> dict[str, object]:
    """Return a job for JSON."""
    return {
        "job": job.job_id,
        "name": job.name,
        "queue": job.queue,
        "jobs": job.size,
        "status": job.status,
        "by_status": dict(job.by_status),
        "reason": job.reason,
        "submitted": format_time(job.created),
    }

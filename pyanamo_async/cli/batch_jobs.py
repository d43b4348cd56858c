"""How `pyanamo batch` shows jobs and arrays, for people and as JSON."""

from __future__ import annotations

from pyanamo_async import FleetJob
from pyanamo_async.cli.console import on_terminal
from pyanamo_async.cli.listing import Column, Row
from pyanamo_async.cli.views import clock_time, short_time
from pyanamo_async.core.stored.queue_key import format_time

COLUMNS = (
    Column("job"),
    Column("jobs", rank=5, right=True),  # on a terminal an array's states tell it, too
    Column("state", rank=1, cut=True),
    Column("submitted", rank=4),
    Column("queue", rank=3),
    Column("reason", rank=2, cut=True),
)


def job_row(job: FleetJob) -> Row:
    """Return one line of a listing; a terminal, where room is scarce, has short times."""
    when = short_time if on_terminal() else clock_time
    state = ", ".join(f"{number:,} {status}" for status, number in job.by_status.items()) or job.status
    return Row((job.job_id, f"{job.size:,}", state, when(job.created), job.queue, job.reason))


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

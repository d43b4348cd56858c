"""`pyanamo workers --jobs`: the jobs of AWS Batch behind the workers that hold items."""

from __future__ import annotations

from datetime import datetime

from pyanamo_async import Table, WorkerJob
from pyanamo_async.cli.console import say_json_list
from pyanamo_async.cli.listing import Column, Row, say_table
from pyanamo_async.cli.views import clock_time, one_by_one
from pyanamo_async.core.stored.queue_key import format_time

COLUMNS = (
    Column("worker"),
    Column("job state", rank=1),
    Column("items", rank=2, cut=True),
    Column("reason", rank=3, cut=True),
    Column("exit", rank=4, right=True),
    Column("stopped", rank=5),
    Column("started", rank=6),
    Column("job", rank=7),
)
NO_JOB = "no job"  # of Batch's: a worker elsewhere


async def show_jobs(table: Table, *, json: bool) -> None:
    """Show them, a worker a line."""
    listed = one_by_one(await table.worker_jobs())
    if json:
        await say_json_list(_json(each) async for each in listed)
    else:
        await say_table(COLUMNS, (_row(each) async for each in listed))


def _row(each: WorkerJob) -> Row:
    run = each.run
    fields = (
        each.worker_id,
        _state(each),
        ",".join(each.item_ids),
        run.reason,
        "" if run.exit_code is None else str(run.exit_code),
        _when(run.stopped),
        _when(run.started),
        each.job_id,
    )
    return Row(fields)


def _state(each: WorkerJob) -> str:
    """Return the status of a job, and if it goes on without this worker, that its attempt stopped."""
    goes_on = each.run.stopped is not None and each.status not in {"SUCCEEDED", "FAILED"}
    return f"attempt {each.attempt} stopped; {each.status}" if goes_on else each.status or NO_JOB


def _when(time: datetime | None) -> str:
    return clock_time(time) if time else ""


def _json(each: WorkerJob) -> dict[str, object]:
    run = each.run
    return {
        "worker": each.worker_id,
        "job": each.job_id or None,
        "attempt": each.attempt or None,
        "status": each.status or None,
        "reason": run.reason,
        "exit_code": run.exit_code,
        "started": format_time(run.started) if run.started else None,
        "stopped": format_time(run.stopped) if run.stopped else None,
        "items": list(each.item_ids),
    }

"""`pyanamo workers --jobs`: the jobs of AWS Batch behind the workers that hold items."""

from __future__ import annotations

from datetime import datetime

from pyanamo_async import Table, WorkerJob
from pyanamo_async.cli.console import on_terminal, say_json_list
from pyanamo_async.cli.listing import Column, Row, say_table
from pyanamo_async.cli.views import clock_time, one_by_one, short_time
from pyanamo_async.core.stored.queue_key import format_time

COLUMNS = (
    Column("itemID"),
    Column("job state", rank=1),
    Column("reason", rank=2, cut=True),
    Column("exit", rank=3, right=True),
    Column("stopped", rank=4),
    Column("started", rank=6),
    Column("worker", rank=5),
)
NO_JOB = "no job"  # of Batch's: a worker elsewhere


async def show_jobs(table: Table, *, json: bool) -> None:
    """Show them, an item a line; as JSON a worker with its items."""
    listed = one_by_one(await table.worker_jobs())
    if json:
        await say_json_list(_json(each) async for each in listed)
    else:
        await say_table(COLUMNS, (_row(each, item_id) async for each in listed for item_id in each.item_ids))


def _row(each: WorkerJob, item_id: str) -> Row:
    run = each.run
    fields = (
        item_id,
        _state(each),
        run.reason,
        "" if run.exit_code is None else str(run.exit_code),
        _when(run.stopped),
        _when(run.started),
        each.worker_id,
    )
    return Row(fields)


def _state(each: WorkerJob) -> str:
    """Return the status of a job; `RUNNING again` if that is a later attempt than the one of this worker."""
    goes_on = each.run.stopped is not None and each.status not in {"SUCCEEDED", "FAILED"}
    return f"{each.status} again" if goes_on else each.status or NO_JOB


def _when(time: datetime | None) -> str:
    show = short_time if on_terminal() else clock_time
    return show(time) if time else ""


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

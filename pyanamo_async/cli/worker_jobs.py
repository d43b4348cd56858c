"""`pyanamo workers --jobs`: the jobs of AWS Batch behind the workers that hold items."""

from __future__ import annotations

from datetime import datetime

from pyanamo_async import Table, WorkerJob
from pyanamo_async.cli.console import on_terminal, say_json_list
from pyanamo_async.cli.listing import Column, rows_of, say_table
from pyanamo_async.cli.views import clock_time, one_by_one, short_time
from pyanamo_async.core.stored.queue_key import format_time

COLUMNS = (
    Column("itemID", show=lambda pair: pair[1]),
    Column("job state", rank=1, show=lambda pair: _state(pair[0])),
    Column("reason", rank=2, cut=True, show=lambda pair: pair[0].run.reason),
    Column("exit", rank=3, right=True, show=lambda pair: "" if (code := pair[0].run.exit_code) is None else str(code)),
    Column("stopped", rank=4, show=lambda pair: _when(pair[0].run.stopped)),
    Column("started", rank=6, show=lambda pair: _when(pair[0].run.started)),
    Column("worker", rank=5, show=lambda pair: pair[0].worker_id),
)
NO_JOB = "no job"  # the worker does not run on AWS Batch


async def show_jobs(table: Table, *, json: bool) -> None:
    """Show the jobs, with a line for each item; as JSON, with an object for each worker."""
    listed = await table.worker_jobs()
    if json:
        await say_json_list(one_by_one(map(_json, listed)))
    else:
        await say_table(COLUMNS, rows_of(COLUMNS, ((each, item_id) for each in listed for item_id in each.item_ids)))


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

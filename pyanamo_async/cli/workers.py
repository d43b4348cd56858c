"""`pyanamo workers`, its `drain` and `stop`, and `pyanamo reclaim`."""

from __future__ import annotations

from typing import Annotated

import typer

from pyanamo_async import Desired, FailurePolicy, ReclaimResult, Table, UsageError, WorkerCondition, WorkerStatus
from pyanamo_async.cli.console import note, say, say_json, say_json_list
from pyanamo_async.cli.listing import Column, rows_of, say_table
from pyanamo_async.cli.options import JsonOption, on_table
from pyanamo_async.cli.other_words import Group
from pyanamo_async.cli.views import clock_time, one_by_one
from pyanamo_async.cli.worker_jobs import show_jobs
from pyanamo_async.core.platforms import encode_platform, show_platform
from pyanamo_async.core.stored.queue_key import format_time
from pyanamo_async.core.text.byte_sizes import show_size
from pyanamo_async.core.text.plural import plural

CONDITIONS = {
    WorkerCondition.ALIVE: "alive",
    WorkerCondition.STANDING: "standing still",
    WorkerCondition.STALE: "vanished: silent for its lease",
    WorkerCondition.DIED: "vanished: process died",
    WorkerCondition.ENDED: "ended",
}


def _condition(status: WorkerStatus) -> str:
    by = status.worker.stopped_by
    match status.condition:
        case WorkerCondition.ENDED if by:
            return f"stopped: {by}"
        case WorkerCondition.ALIVE if by:
            return f"stopping: {by}"
        case condition:
            return CONDITIONS[condition]


COLUMNS = (
    Column("worker", show=lambda each: each.worker.worker_id),
    Column("condition", rank=1, cut=True, show=_condition),
    Column("last heartbeat", rank=4, show=lambda each: clock_time(each.worker.heartbeat)),
    Column("running", rank=2, right=True, show=lambda each: f"{each.worker.running}/{each.worker.slots}"),
    Column("done", rank=3, right=True, show=lambda each: str(each.worker.done)),
    Column("memory", rank=6, right=True, show=lambda each: show_size(each.worker.rss_bytes)),
    Column(
        "ordered to", rank=5, show=lambda each: "" if each.worker.desired is Desired.RUN else str(each.worker.desired)
    ),
    Column("job", rank=7, show=lambda each: each.worker.job),
    Column("platform", rank=8, show=lambda each: show_platform(each.worker.platform)),
)

WorkerArgument = Annotated[str | None, typer.Argument(metavar="[WORKER]", help="A worker's id.")]
AllOption = Annotated[bool, typer.Option("--all", help="Every worker that is alive.")]

app = typer.Typer(
    cls=Group, help="List workers, or order them to drain or stop.", rich_markup_mode=None, add_completion=False
)


@app.callback(invoke_without_command=True)
@on_table
async def workers(
    table: Table,
    *,
    ctx: typer.Context,
    stale: Annotated[
        bool, typer.Option("--stale", help="Only workers that died, or sent no heartbeat for too long.")
    ] = False,
    jobs: Annotated[
        bool, typer.Option("--jobs", help="Workers that hold items, and what AWS Batch says of their jobs.")
    ] = False,
    json: JsonOption = False,
) -> None:
    """List workers by last heartbeat, or order them to drain or stop."""
    if ctx.invoked_subcommand:
        _refuse_flags_before(ctx, ctx.invoked_subcommand)
        return
    if jobs:
        if stale:
            raise UsageError("--jobs lists the workers that hold items, not the stale ones", hint="leave one out")
        await show_jobs(table, json=json)
        return
    listed = await table.workers(stale=stale)
    if json:
        await say_json_list(one_by_one(map(_json, listed)))
    else:
        await say_table(COLUMNS, rows_of(COLUMNS, listed))


def _refuse_flags_before(ctx: typer.Context, subcommand: str) -> None:
    """Refuse flags that would be lost: an order must never go to another table than the one that was named.

    Raises:
        UsageError: there are such flags.
    """
    for each in ctx.command.params:
        source = ctx.get_parameter_source(each.name or "")
        if source is not None and source.name == "COMMANDLINE":
            flag = each.opts[-1]
            raise UsageError(
                f"{flag} stands before {subcommand}, where it has no effect",
                hint=f"write `pyanamo workers {subcommand} ... {flag} ...`",
            )


@app.command("drain")
@on_table
async def drain(table: Table, *, worker: WorkerArgument = None, everyone: AllOption = False) -> None:
    """Order a worker to claim nothing more, and to end when its running items have ended."""
    await _order(table, Desired.DRAIN, worker, everyone)


@app.command("stop")
@on_table
async def stop(table: Table, *, worker: WorkerArgument = None, everyone: AllOption = False) -> None:
    """Order a worker to stop, as SIGTERM does: scripts that outlast its grace are ended, and their items put back."""
    await _order(table, Desired.STOP, worker, everyone)


@on_table
async def reclaim(
    table: Table,
    *,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only list the items that would go back.")] = False,
    crash_limit: Annotated[
        int, typer.Option("--crash-limit", min=1, help="How many workers may vanish with an item before it fails.")
    ] = FailurePolicy().crash_limit,
    jobs: Annotated[
        bool, typer.Option("--jobs", help="Also those of workers whose job of AWS Batch stopped more than 150 s ago.")
    ] = False,
    json: JsonOption = False,
) -> None:
    """Put back the items of workers that vanished.

    Running workers do so by themselves.
    """
    result = await table.reclaim(crash_limit=crash_limit, dry_run=dry_run, jobs=jobs)
    if dry_run:
        _show_dry_run(result, json=json)
    elif json:
        say_json({"reclaimed": result.reclaimed, "failed": result.failed})
    else:
        say(f"{plural(result.reclaimed, 'item')} went back" + (f", {result.failed} failed" if result.failed else ""))


def _show_dry_run(result: ReclaimResult, *, json: bool) -> None:
    if json:
        say_json({"would_reclaim": result.item_ids})
        return
    for item_id in result.item_ids:
        say(item_id)
    note(f"{plural(len(result.item_ids), 'item')} would go back")


async def _order(table: Table, desired: Desired, worker: str | None, everyone: bool) -> None:
    ordered = await table.order(desired, worker, all_workers=everyone)
    for each in ordered:
        say(f"{each} will {desired} with its next heartbeat")
    if not ordered:
        note("no workers are alive")


def _json(status: WorkerStatus) -> dict[str, object]:
    worker = status.worker
    return {
        "worker": worker.worker_id,
        "condition": str(status.condition),
        "stopped_by": status.worker.stopped_by,
        "host": worker.host,
        "job": worker.job,
        "platform": encode_platform(worker.platform),
        "started": format_time(worker.started),
        "heartbeat": format_time(worker.heartbeat),
        "lease_seconds": worker.lease.total_seconds(),
        "slots": worker.slots,
        "running": worker.running,
        "done": worker.done,
        "rss_bytes": worker.rss_bytes,
        "desired": str(worker.desired),
    }

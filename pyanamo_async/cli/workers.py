"""`pyanamo workers`, its `drain` and `stop`, and `pyanamo reclaim`."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from datetime import UTC, datetime
from typing import Annotated, TypeVar

import typer

from pyanamo_async.app.settings import Settings
from pyanamo_async.cli.console import Row, note, say, say_json, say_json_list, say_table
from pyanamo_async.cli.options import JsonOption, addressed
from pyanamo_async.cli.run_async import with_store
from pyanamo_async.cli.views import clock_time, size
from pyanamo_async.core.failure_policy import FailurePolicy
from pyanamo_async.core.items import State
from pyanamo_async.core.stored.queue_key import format_time
from pyanamo_async.core.text.plural import plural
from pyanamo_async.core.workers import Desired, Worker
from pyanamo_async.errors import UsageError
from pyanamo_async.fleet.membership import condition, list_workers, vanished
from pyanamo_async.fleet.membership import order as leave_order
from pyanamo_async.fleet.reclaim import reclaim_from, reclaim_orphans
from pyanamo_async.host.liveness import process_status
from pyanamo_async.ports import Store

T = TypeVar("T")

COLUMNS = ("worker", "is", "last heartbeat", "running", "done", "memory", "ordered to", "job")

WorkerArgument = Annotated[str | None, typer.Argument(metavar="[WORKER]", help="A worker's id.")]
AllOption = Annotated[bool, typer.Option("--all", help="Every worker that lives.")]

app = typer.Typer(help="List workers, or tell them to drain or stop.", rich_markup_mode=None, add_completion=False)


@app.callback(invoke_without_command=True)
@addressed
def workers(
    given: Settings,
    *,
    ctx: typer.Context,
    stale: Annotated[bool, typer.Option("--stale", help="Only those silent for their lease, or dead.")] = False,
    json: JsonOption = False,
) -> None:
    """List workers by last beat, or tell them to drain or stop."""
    if ctx.invoked_subcommand:
        _refuse_flags_before(ctx, ctx.invoked_subcommand)
        return

    async def work(store: Store) -> None:
        now = datetime.now(UTC)
        found = await list_workers(store, stale=stale, now=now, process_status=process_status)
        if json:
            await say_json_list(_each(_json(worker, now) for worker in found))
        else:
            await say_table(COLUMNS, _each(_row(worker, now) for worker in found))

    with_store(given, work)


def _refuse_flags_before(ctx: typer.Context, subcommand: str) -> None:
    """Refuse flags that would be lost: an order must never go to another table than the one that was named.

    Raises:
        UsageError: there are some.
    """
    for each in ctx.command.params:
        source = ctx.get_parameter_source(each.name or "")
        if source is not None and source.name == "COMMANDLINE":
            flag = each.opts[-1]
            raise UsageError(
                f"{flag} stands before {subcommand}, and is not for it",
                hint=f"write `pyanamo workers {subcommand} ... {flag} ...`",
            )


@app.command("drain")
@addressed
def drain(given: Settings, *, worker: WorkerArgument = None, everyone: AllOption = False) -> None:
    """Tell a worker to claim nothing more, and to end when what it runs has ended."""
    _order(given, worker, Desired.DRAIN, everyone)


@app.command("stop")
@addressed
def stop(given: Settings, *, worker: WorkerArgument = None, everyone: AllOption = False) -> None:
    """Tell a worker to stop, as SIGTERM does: what runs longer than its grace is ended and given back."""
    _order(given, worker, Desired.STOP, everyone)


@addressed
def reclaim(
    given: Settings,
    *,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only tell which items would go back.")] = False,
    crash_limit: Annotated[
        int, typer.Option("--crash-limit", min=1, help="Workers that may vanish with an item until it is failed.")
    ] = FailurePolicy().crash_limit,
    json: JsonOption = False,
) -> None:
    """Put back the items of workers that vanished; running workers do so by themselves."""

    async def work(store: Store) -> None:
        now = datetime.now(UTC)
        gone = vanished(await store.workers(), now=store.service_time(now=now), process_status=process_status)
        if dry_run:
            held = [item.item_id for worker in gone for item in await store.held(worker.worker_id)]
            _tell(held, json=json)
            return
        policy = FailurePolicy(crash_limit=crash_limit)
        taken = await reclaim_from(store, gone, now=now, policy=policy)
        taken += await reclaim_orphans(store, now=now, policy=policy)
        back, failed = taken[State.TODO], taken[State.FAILED]
        if json:
            say_json({"reclaimed": back, "failed": failed})
        else:
            say(f"{plural(back, 'item')} went back" + (f", {failed} failed" if failed else ""))

    with_store(given, work)


def _tell(held: list[str], *, json: bool) -> None:
    if json:
        say_json({"would_reclaim": held})
        return
    for item_id in held:
        say(item_id)
    note(f"{plural(len(held), 'item')} would go back")


def _order(given: Settings, worker: str | None, desired: Desired, everyone: bool) -> None:
    async def work(store: Store) -> None:
        told = await leave_order(
            store, worker, desired, everyone=everyone, now=datetime.now(UTC), process_status=process_status
        )
        for each in told:
            say(f"{each} is told to {desired} with its next heartbeat")
        if not told:
            note("there are no living workers")

    with_store(given, work)


def _row(worker: Worker, now: datetime) -> Row:
    fields = (
        worker.worker_id,
        str(condition(worker, now=now, process_status=process_status)),
        clock_time(worker.heartbeat),
        f"{worker.running}/{worker.slots}",
        str(worker.done),
        size(worker.rss_bytes),
        "" if worker.desired is Desired.RUN else str(worker.desired),
        worker.job,
    )
    return Row(fields)


def _json(worker: Worker, now: datetime) -> dict[str, object]:
    return {
        "worker": worker.worker_id,
        "condition": str(condition(worker, now=now, process_status=process_status)),
        "host": worker.host,
        "job": worker.job,
        "started": format_time(worker.started),
        "heartbeat": format_time(worker.heartbeat),
        "lease_seconds": worker.lease.total_seconds(),
        "slots": worker.slots,
        "running": worker.running,
        "done": worker.done,
        "rss_bytes": worker.rss_bytes,
        "desired": str(worker.desired),
    }


async def _each(values: Iterable[T]) -> AsyncIterator[T]:
    for value in values:
        yield value

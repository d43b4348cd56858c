"""`pyanamo batch submit`, `list`, `cancel` and `why`: a table's workers as jobs of AWS Batch."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

import typer

from pyanamo_async import FailurePolicy, OutputSettings, Table, WorkerSettings
from pyanamo_async.cli.asking import ask, need_terminal
from pyanamo_async.cli.batch_jobs import COLUMNS, job_json
from pyanamo_async.cli.batch_plan import plan_json, show_plan
from pyanamo_async.cli.console import flush, note, say, say_json, say_json_list
from pyanamo_async.cli.flags import duration, size, tags
from pyanamo_async.cli.handing_on import HandingOn, handed_on
from pyanamo_async.cli.listing import rows_of, say_table
from pyanamo_async.cli.options import JsonOption, command_line, on_table, takes
from pyanamo_async.cli.other_words import Group
from pyanamo_async.cli.run_options import failure_policy, output_settings, worker_settings
from pyanamo_async.cli.views import one_by_one
from pyanamo_async.core.queue_lanes import LAST_ATTEMPTS_AFTER
from pyanamo_async.core.text.plural import plural

ASKED_ABOVE = 100  # jobs
QueueOption = Annotated[str, typer.Option("--queue", metavar="QUEUE", help="The job queue: its name or ARN.")]
OfQueue = Annotated[str | None, typer.Option("--queue", metavar="QUEUE", help="Only jobs of this queue.")]
Yes = Annotated[bool, typer.Option("-y", "--yes", help="Do not ask.")]

app = typer.Typer(
    cls=Group,
    help="Start workers as jobs of AWS Batch, list and cancel them, or tell why they do not start or failed.",
    no_args_is_help=True,
    rich_markup_mode=None,
    add_completion=False,
)


@app.command("submit", cls=HandingOn)
@on_table
@takes("worker", worker_settings)
@takes("policy", failure_policy)
@takes("output", output_settings)
async def submit(
    table: Table,
    *,
    ctx: typer.Context,
    worker: WorkerSettings,  # noqa: ARG001 - checked here; what was typed is passed on
    policy: FailurePolicy,  # noqa: ARG001 - as above
    output: OutputSettings,
    queue: QueueOption,
    definition: Annotated[
        str, typer.Option("--definition", metavar="NAME", help="The job definition: its name, NAME:REVISION or ARN.")
    ],
    jobs: Annotated[int | None, typer.Option("--jobs", metavar="N", min=1, help="How many workers.")] = None,
    within: Annotated[
        timedelta | None,
        typer.Option(
            "--for",
            metavar="DURATION",
            parser=duration,
            help="As many workers as can finish what is left in this time.",
        ),
    ] = None,
    seconds_per_item: Annotated[
        float | None,
        typer.Option(
            "--seconds-per-item", metavar="SECONDS", help="With --for: how long an item takes. [default: as measured]"
        ),
    ] = None,
    share: Annotated[
        str, typer.Option("--share", metavar="NAME", help="The share identifier, which fair-share queues need.")
    ] = "",
    memory_class: Annotated[
        int | None,
        typer.Option(
            "--memory-class",
            metavar="SIZE",
            parser=size,
            help="Workers for items that need so much memory: the definition's are to be large enough.",
        ),
    ] = None,
    last_attempts_on: Annotated[
        str,
        typer.Option(
            "--last-attempts-on",
            metavar="QUEUE",
            help="One more worker on this queue of on-demand machines, for items that lost their machine too often. "
            "The table keeps that until `pyanamo table last-attempts --off`.",
        ),
    ] = "",
    last_attempts_after: Annotated[
        int,
        typer.Option(
            "--last-attempts-after",
            metavar="N",
            min=1,
            help="With --last-attempts-on: how often an item may lose its machine before it is left to that worker.",
        ),
    ] = LAST_ATTEMPTS_AFTER,
    tag: Annotated[
        list[str] | None,
        typer.Option("--tag", metavar="KEY=VALUE", help="A tag of the jobs and their tasks; may be repeated."),
    ] = None,
    no_task_credentials: Annotated[bool, typer.Option("--no-task-credentials", help="As for `run`.")] = False,  # noqa: ARG001 - as above
    yes: Yes = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show what would be submitted.")] = False,
    json: JsonOption = False,
) -> None:
    """Start workers of this table as jobs of AWS Batch.

    Options of `pyanamo run` are passed to them as environment variables of their containers. Several workers are array
    jobs of up to 10,000. Above 100 workers the command asks first.
    """
    own_group = output.cloudwatch == ""  # an empty variable counts as none
    plan = await table.plan_batch(
        queue=queue,
        definition=definition,
        jobs=jobs,
        within=within,
        seconds_per_item=seconds_per_item,
        environment=handed_on(ctx) | ({"PYANAMO_CLOUDWATCH": f"/PyAnamo/{table.address}"} if own_group else {}),
        tags=tags(tag or ()),
        share=share,
        memory_class_bytes=memory_class,
        last_attempts_on=last_attempts_on,
        last_attempts_after=last_attempts_after,
    )
    if dry_run or not json:
        show_plan(plan, json=json)
    if dry_run:
        return
    if plan.jobs > ASKED_ABOVE and not yes:
        need_terminal(f"submitting {plan.jobs:,} jobs", "give --yes or --dry-run")
        if not ask(f"submit {plan.jobs:,} jobs?"):
            note("nothing was submitted")
            raise typer.Exit(1)
    job_ids = await table.submit_batch(plan)
    if json:
        say_json({"dry_run": False, "job_ids": job_ids, **plan_json(plan)})
        return
    for job_id, order in zip(job_ids, plan.all_orders, strict=True):
        array = f", an array of {order.size:,}" if order.size > 1 else ""
        say(f"submitted {job_id}{array}" + (", for last attempts" if order is plan.last_attempts else ""))
    flush()  # the lines above come first, also on a terminal
    note(f"next: {command_line('batch list', table.address)}; {command_line('status --watch', table.address)}")


@app.command("list")
@on_table
async def list_jobs(
    table: Table,
    *,
    queue: OfQueue = None,
    everything: Annotated[bool, typer.Option("--all", help="Also list jobs that have ended.")] = False,
    json: JsonOption = False,
) -> None:
    """List the jobs of AWS Batch that are workers of this table, the newest first."""
    listed = await table.batch_jobs(queue=queue, ended=everything)
    if json:
        await say_json_list(one_by_one(map(job_json, listed)))
    else:
        await say_table(COLUMNS, rows_of(COLUMNS, listed))


@app.command("cancel")
@on_table
async def cancel(
    table: Table,
    *,
    job: Annotated[list[str] | None, typer.Argument(metavar="[JOB]...", help="Ids of jobs. [default: all]")] = None,
    queue: OfQueue = None,
    drain_for: Annotated[
        timedelta,
        typer.Option(
            "--drain-for",
            metavar="DURATION",
            parser=duration,
            help="How long workers may take to finish what they run; what still runs then is ended and put back.",
        ),
    ] = "10m",  # type: ignore[assignment]  # parsed as any other text
    now: Annotated[bool, typer.Option("--now", help="The same as --drain-for 0.")] = False,
    reason: Annotated[
        str, typer.Option("--reason", metavar="TEXT", help="The reason, for those who look at the jobs.")
    ] = "",
    yes: Yes = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only list the jobs.")] = False,
    json: JsonOption = False,
) -> None:
    """Cancel the jobs that are workers of this table.

    All workers are told to drain, and jobs that have not started are cancelled. Jobs that still run after --drain-for
    are terminated.
    """
    found = await table.batch_jobs(job or (), queue=queue)
    if dry_run and json:
        say_json(
            {"dry_run": True, "cancelled": len(found), "terminated": 0, "job_ids": [each.job_id for each in found]}
        )
        return
    if dry_run:
        await say_table(COLUMNS, rows_of(COLUMNS, found))
        return
    if found and not yes:
        need_terminal("cancelling jobs", "give --yes or --dry-run")
        if not ask(f"cancel {plural(sum(each.size for each in found), 'job')} in {plural(len(found), 'submission')}?"):
            note("nothing was cancelled")
            raise typer.Exit(1)
    given = {"reason": reason} if reason else {}
    result = await table.cancel_batch(job or (), queue=queue, drain_for=timedelta() if now else drain_for, **given)
    if json:
        say_json({"dry_run": False, "cancelled": result.jobs, "terminated": result.terminated})
    else:
        ended = f"; {result.terminated} had to be terminated" if result.terminated else ""
        say(f"{plural(result.jobs, 'submission')} cancelled{ended}")


@app.command("why")
@on_table
async def why(table: Table, *, queue: OfQueue = None, json: JsonOption = False) -> None:
    """Explain why jobs of this table do not start, or why they failed."""
    sentences = await table.explain_batch(queue=queue)
    if json:
        say_json({"because": sentences})
        return
    for each in sentences:
        say(each)

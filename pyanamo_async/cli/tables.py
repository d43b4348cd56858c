"""`pyanamo table create`, `describe`, `adopt`, `clear`, `delete`, `last-attempts`, and the commands of `capacity`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pyanamo_async import AdoptResult, Selection, Table, UsageError
from pyanamo_async.cli import capacity, ordering, views
from pyanamo_async.cli.asking import ask, need_terminal
from pyanamo_async.cli.changing import Outputs, delete_items
from pyanamo_async.cli.console import flush, note, say, say_json
from pyanamo_async.cli.flags import tags
from pyanamo_async.cli.options import JsonOption, command_line, on_new_files, on_table
from pyanamo_async.cli.other_words import Group
from pyanamo_async.core.queue_lanes import LAST_ATTEMPTS_AFTER
from pyanamo_async.core.text.plural import plural

INCOMPLETE = 3
NAMED = 5

app = typer.Typer(
    cls=Group,
    help="Create, describe, adopt, clear or delete a table, or give it capacity.",
    no_args_is_help=True,
    rich_markup_mode=None,
    add_completion=False,
)


@app.command("create")
@on_new_files
async def create(
    table: Table,
    *,
    shards: Annotated[
        int | None,
        typer.Option(
            "--shards",
            metavar="N",
            help="Parts of the queue of a DynamoDB table; 64 for thousands of workers. [default: 16]",
        ),
    ] = None,
    indexes: Annotated[
        Path | None,
        typer.Option("--indexes", metavar="FILE", help="JSON with further GlobalSecondaryIndexes of DynamoDB."),
    ] = None,
    tag: Annotated[
        list[str] | None,
        typer.Option("--tag", metavar="KEY=VALUE", help="A tag of a DynamoDB table; may be repeated."),
    ] = None,
    kms_key: Annotated[
        str | None,
        typer.Option("--kms-key", metavar="KEY", help="The KMS key of a DynamoDB table: its id, ARN or alias."),
    ] = None,
    point_in_time_recovery: Annotated[
        bool, typer.Option("--point-in-time-recovery", help="Keep the history of a DynamoDB table for 35 days.")
    ] = False,
    deletion_protection: Annotated[
        bool, typer.Option("--deletion-protection", help="Protect a DynamoDB table from being deleted by mistake.")
    ] = False,
) -> None:
    """Create the table, and wait until it is usable.

    A table of pyanamo that exists already is left as it is.
    """
    created = await table.create(
        shards=shards,
        indexes=indexes or (),
        tags=tags(tag or ()),
        kms_key=kms_key,
        point_in_time_recovery=point_in_time_recovery,
        deletion_protection=deletion_protection,
    )
    say(views.shown_creation(created, table.address) or f"table {table.address} exists; nothing was changed")


@app.command("describe")
@on_table
async def describe(table: Table, *, json: JsonOption = False) -> None:
    """Show the table's keys, indexes, counts and billing."""
    seen, counts, after = await table.describe(), await table.counts(), await table.last_attempts_after()
    if json:
        say_json(views.description_row(seen, counts, table=table.address) | {"last_attempts_after": after})
        return
    views.show_description(seen, counts, table=table.address, after=after)


@app.command("adopt")
@on_table
async def adopt(
    table: Table,
    *,
    locked: Annotated[
        bool,
        typer.Option(
            "--locked", help="Also items that the original locked; none of its workers may be running any more."
        ),
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only list the items.")] = False,
    json: JsonOption = False,
) -> None:
    """Put items into the queue that another program imported or moved.

    The original PyAnamo and its manager write such items. They are neither run nor listed until they are in the queue.
    Exits with 3 if items were left alone.
    """
    result = await table.adopt(locked=locked, dry_run=dry_run)
    if json:
        counts = {name: getattr(result, name) for name in ("adopted", "fenced", "failed", "locked")}
        say_json({"dry_run": dry_run, **counts, **({"item_ids": result.item_ids} if dry_run else {})})
    else:
        _show_adopted(result, dry_run=dry_run)
    if not result.complete:
        raise typer.Exit(INCOMPLETE)


def _show_adopted(result: AdoptResult, *, dry_run: bool) -> None:
    for item_id in result.item_ids:
        say(item_id)
    flush()  # ids come first, also where both go to one terminal
    verb = "would be" if dry_run else "was" if result.adopted == 1 else "were"
    (note if dry_run else say)(f"{plural(result.adopted, 'item')} {verb} adopted")
    if result.locked:
        names = ", ".join(result.locked[:NAMED]) + (", ..." if len(result.locked) > NAMED else "")
        note(f"{plural(len(result.locked), 'item')} left alone, because somebody may be running them: {names}")
    if result.fenced:
        note(f"{plural(result.fenced, 'item')} left alone, because they changed meanwhile")
    if result.failed:
        row = "its row has" if result.failed == 1 else "their rows have"
        note(f"{plural(result.failed, 'item')} left alone, because {row} no room")


@app.command("clear", epilog=ordering.EPILOG)
@on_table
@ordering.forces
def clear(table: Table, *, how: ordering.How, outputs: Outputs = False) -> None:
    """Delete all items, and keep the table.

    Items that workers hold are left alone and named, unless --force ends them.
    """
    delete_items(table, Selection(all=True), how, outputs=outputs)


@app.command("delete")
@on_table
async def delete(
    table: Table,
    *,
    yes: Annotated[bool, typer.Option("-y", "--yes", help="Delete without asking.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Delete it even while workers use it.")] = False,
) -> None:
    """Delete the table with all its items.

    Output that was stored stays where it is.
    """
    items = (await table.counts()).total
    what = f"table {table.address} with {plural(items, 'item')}"
    if not yes:
        _confirm(f"delete {what}?")
    await table.drop(force=force)
    say(f"deleted {what}")


@app.command("last-attempts")
@on_table
async def last_attempts(
    table: Table,
    *,
    after: Annotated[
        int | None,
        typer.Option(
            "--after",
            metavar="N",
            min=1,
            help="How often an item may lose its machine.",
            show_default=str(LAST_ATTEMPTS_AFTER),
        ),
    ] = None,
    off: Annotated[bool, typer.Option("--off", help="Leave no more items to such workers.")] = False,
) -> None:
    """Leave items that lost their machines too often, as on Spot, to workers with --last-attempts.

    Other workers leave them alone, until they are done or a person puts them back.
    """
    if off and after is not None:
        raise UsageError("--after and --off contradict each other", hint="leave out one")
    times = after or LAST_ATTEMPTS_AFTER
    waiting = await table.leave_last_attempts(None if off else times)
    say("no more items are left to workers with --last-attempts" if off else views.left_after(times))
    if waiting and off:
        takes, frees = (command_line(each, table.address) for each in ("run --last-attempts", "retry --state todo"))
        wait, them = ("waits", "it") if waiting == 1 else ("wait", "them")
        note(
            f"{plural(waiting, 'item')} still {wait} for one: {takes} runs {them}, {frees} leaves {them} to all workers"
        )


app.command("provision")(capacity.provision)
app.command("on-demand")(capacity.on_demand)
app.command("warm")(capacity.warm)
app.command("autoscale")(capacity.autoscale)
app.command("export-template")(capacity.export_template)


def _confirm(question: str) -> None:
    need_terminal("deleting a table", "give --yes")
    if not ask(question):
        note("nothing was deleted")
        raise typer.Exit(1)

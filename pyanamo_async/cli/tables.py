"""`pyanamo table create`, `describe` and `delete`."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from pyanamo_async.app.settings import DEFAULT_SHARDS, Settings
from pyanamo_async.cli import views
from pyanamo_async.cli.console import note, say, say_json
from pyanamo_async.cli.options import JsonOption, addressed
from pyanamo_async.cli.run_async import with_store
from pyanamo_async.core.text.plural import plural
from pyanamo_async.errors import UsageError
from pyanamo_async.fleet.membership import living
from pyanamo_async.host.liveness import process_status
from pyanamo_async.operate.tables import describe as describe_table
from pyanamo_async.operate.tables import read_indexes
from pyanamo_async.ports import Store

MAX_SHARDS = 999

app = typer.Typer(
    help="Create, describe or delete a table.", no_args_is_help=True, rich_markup_mode=None, add_completion=False
)


@app.command("create")
@addressed
def create(
    given: Settings,
    *,
    shards: Annotated[
        int,
        typer.Option(
            "--shards", metavar="N", min=1, max=MAX_SHARDS, help="Shards of the queue; 64 for thousands of workers."
        ),
    ] = DEFAULT_SHARDS,
    indexes: Annotated[
        Path | None,
        typer.Option("--indexes", metavar="FILE", help="JSON with further GlobalSecondaryIndexes of DynamoDB."),
    ] = None,
) -> None:
    """Create the table, and wait until it is usable.

    One of ours that is there already is left as it is.
    """
    extra_indexes = read_indexes(indexes) if indexes else []

    async def work(store: Store) -> None:
        created = await store.create(shards=shards, indexes=extra_indexes)
        say(f"created table {given.table}" if created else f"table {given.table} is there already; nothing was changed")

    with_store(given, work)


@app.command("describe")
@addressed
def describe(given: Settings, *, json: JsonOption = False) -> None:
    """Show the table's keys, indexes, counts and billing."""

    async def work(store: Store) -> None:
        seen = await describe_table(store)
        if json:
            say_json(views.description_row(*seen, table=str(given.table)))
        else:
            views.show_description(*seen, table=str(given.table))

    with_store(given, work)


@app.command("delete")
@addressed
def delete(
    given: Settings,
    *,
    yes: Annotated[bool, typer.Option("-y", "--yes", help="Delete without asking.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Delete it while workers work on it, too.")] = False,
) -> None:
    """Delete the table with all its items.

    Output that was stored stays where it is.
    """

    async def work(store: Store) -> None:
        what = f"table {given.table} with {plural((await store.counts()).total, 'item')}"
        busy = len(await living(store, now=datetime.now(UTC), process_status=process_status))
        if busy and not force:
            raise UsageError(
                f"{plural(busy, 'worker')} may still work on {what}",
                hint="`pyanamo workers drain --all` sends them home; --force deletes it under their hands",
            )
        if not yes:
            _ask(f"delete {what}?")
        await store.drop()
        say(f"deleted {what}")

    with_store(given, work)


def _ask(question: str) -> None:
    if not sys.stdin.isatty():
        raise UsageError("deleting a table asks first, and there is no terminal to ask on", hint="say --yes")
    if not typer.confirm(question, err=True):
        note("nothing was deleted")
        raise typer.Exit(1)

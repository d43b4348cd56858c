"""`pyanamo table create`, `describe` and `delete`."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from pyanamo_async import Counts, Description, Table, UsageError
from pyanamo_async.cli.console import note, on_terminal, say, say_json
from pyanamo_async.cli.options import JsonOption, on_table
from pyanamo_async.cli.views import by_state, size
from pyanamo_async.core.stored.queue_key import format_time
from pyanamo_async.core.text.plural import plural

app = typer.Typer(
    help="Create, describe or delete a table.", no_args_is_help=True, rich_markup_mode=None, add_completion=False
)


@app.command("create")
@on_table
async def create(
    table: Table,
    *,
    shards: Annotated[
        int | None,
        typer.Option(
            "--shards",
            metavar="N",
            help="Parts of the queue of a DynamoDB table: 16 unless given, 64 for thousands of workers.",
        ),
    ] = None,
    indexes: Annotated[
        Path | None,
        typer.Option("--indexes", metavar="FILE", help="JSON with further GlobalSecondaryIndexes of DynamoDB."),
    ] = None,
) -> None:
    """Create the table, and wait until it is usable.

    One of ours that exists already is left as it is.
    """
    created = await table.create(shards=shards, indexes=indexes or ())
    say(f"created table {table.address}" if created else f"table {table.address} exists; nothing was changed")


@app.command("describe")
@on_table
async def describe(table: Table, *, json: JsonOption = False) -> None:
    """Show the table's keys, indexes, counts and billing."""
    seen, counts = await table.describe(), (await table.status()).counts
    if json:
        say_json(_json(seen, counts, table.address))
        return
    for name, value in _lines(seen, counts, table.address):
        say(f"{name:<9}{value}" if on_terminal() else f"{name}:\t{value}")


@app.command("delete")
@on_table
async def delete(
    table: Table,
    *,
    yes: Annotated[bool, typer.Option("-y", "--yes", help="Delete without asking.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Delete it even while workers work on it.")] = False,
) -> None:
    """Delete the table with all its items.

    Output that was stored stays where it is.
    """
    items = (await table.status()).counts.total
    what = f"table {table.address} with {plural(items, 'item')}"
    if not yes:
        _ask(f"delete {what}?")
    await table.drop(force=force)
    say(f"deleted {what}")


def _ask(question: str) -> None:
    if not sys.stdin.isatty():
        raise UsageError("deleting a table needs confirmation, and there is no terminal", hint="give --yes")
    if not typer.confirm(question, err=True):
        note("nothing was deleted")
        raise typer.Exit(1)


def _json(seen: Description, counts: Counts, table: str) -> dict[str, object]:
    return {
        "table": table,
        "output_namespace": seen.output_namespace,
        "keys": list(seen.keys),
        "indexes": [
            {"name": each.name, "keys": list(each.keys), "projection": each.projection} for each in seen.indexes
        ],
        "shards": seen.shards,
        "schema_version": seen.schema_version,
        "billing": seen.billing,
        "status": seen.status,
        "size_bytes": seen.size_bytes,
        "created": format_time(seen.created) if seen.created else None,
        "items": by_state(counts),
        "total": counts.total,
    }


def _lines(seen: Description, counts: Counts, table: str) -> Iterator[tuple[str, str]]:
    yield "table", table
    yield "output", f"stored under {seen.output_namespace}"
    yield "keys", ", ".join(seen.keys)
    for index in seen.indexes:
        yield "index", f"{index.name} ({', '.join(index.keys)}), {index.projection}"
    yield "shards", str(seen.shards)
    yield "schema", f"version {seen.schema_version}"
    yield "billing", seen.billing
    if seen.status:
        yield "status", seen.status
    if seen.size_bytes is not None:
        yield "size", size(seen.size_bytes)
    if seen.created:
        yield "created", format_time(seen.created)
    yield "items", ", ".join(f"{count} {state}" for state, count in by_state(counts).items())

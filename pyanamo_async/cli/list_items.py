"""`pyanamo list`: the items of a table."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Annotated, Any

import typer

from pyanamo_async import Selection, Table, UsageError
from pyanamo_async.cli import views
from pyanamo_async.cli.console import say, say_json, say_json_list
from pyanamo_async.cli.listing import Column, Row, say_table
from pyanamo_async.cli.options import JsonOption, on_table
from pyanamo_async.cli.reading import ReverseOption, SortOption, limited
from pyanamo_async.cli.selecting import note_scan, selects_items
from pyanamo_async.core.stored.record import encode_summary
from pyanamo_async.core.text.visible import visible_json

ID = "itemID"


@on_table
@selects_items(all=True)
async def list_items(
    table: Table,
    *,
    selection: Selection,
    columns: Annotated[
        str | None,
        typer.Option("--columns", metavar="NAMES", help="Show these stored fields, as itemID,Priority,Failures."),
    ] = None,
    sort: SortOption = None,
    reverse: ReverseOption = False,
    count: Annotated[bool, typer.Option("--count", help="Print only how many there are.")] = False,
    tsv: Annotated[bool, typer.Option("--tsv", help="Tab-separated, on a terminal too.")] = False,
    json: JsonOption = False,
    jsonl: Annotated[bool, typer.Option("--jsonl", help="JSON Lines: an object for each item.")] = False,
) -> None:
    """List items: all, or those of a selection.

    They are sorted by state and then by time, or as --sort says.
    """
    if count + tsv + json + jsonl > 1:
        raise UsageError("--count, --tsv, --json and --jsonl are four formats", hint="choose one")
    names = None if columns is None else [name.strip() for name in columns.split(",")]

    await note_scan(table, selection)
    if count:
        say(str(await _number(limited(table.items(selection), None))))
    elif json or jsonl:
        await _say_json(_values(table, names, selection, sort=sort, reverse=reverse), lines=jsonl)
    elif names is None:
        items = limited(table.items(selection, sort=sort, reverse=reverse), None)
        await say_table(views.LIST_COLUMNS, (views.list_row(each) async for each in items), plain=tsv)
    else:
        await _say_columns(names, _values(table, names, selection, sort=sort, reverse=reverse), plain=tsv)


async def _number(items: AsyncIterator[object]) -> int:
    number = 0
    async for _ in items:
        number += 1
    return number


async def _values(
    table: Table, names: list[str] | None, selection: Selection, *, sort: str | None, reverse: bool
) -> AsyncIterator[dict[str, Any]]:
    if names is None:
        async for each in limited(table.items(selection, sort=sort, reverse=reverse), None):
            yield encode_summary(each)
    else:
        async for row in limited(table.rows(names, selection, sort=sort, reverse=reverse), None):
            yield row


async def _say_json(rows: AsyncIterator[dict[str, Any]], *, lines: bool) -> None:
    if not lines:
        await say_json_list(rows)
        return
    async for row in rows:
        say_json(row, lines=True)


async def _say_columns(names: list[str], rows: AsyncIterator[dict[str, Any]], *, plain: bool) -> None:
    first = await anext(rows, None)
    named = first or dict.fromkeys(names)  # the first has the names as they are stored
    drawn = [Column(name, rank=0 if name == ID else 1, cut=name != ID) for name in named]

    async def fields() -> AsyncIterator[Row]:
        if first is not None:
            yield _row(first)
            async for row in rows:
                yield _row(row)

    await say_table(drawn, fields(), plain=plain)


def _row(row: dict[str, Any]) -> Row:
    return Row([_text(value) for value in row.values()])


def _text(value: object) -> str:
    if isinstance(value, dict | list):
        import orjson

        return visible_json(orjson.dumps(value)).decode()
    return "" if value is None else str(value)

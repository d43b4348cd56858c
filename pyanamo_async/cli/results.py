"""`pyanamo results`: what scripts report by `PyAnamo:` lines, as one table."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Annotated, Any

import typer

from pyanamo_async import Selection, Table, UsageError
from pyanamo_async.cli import misfits
from pyanamo_async.cli.console import flush, note, on_terminal, say_exactly, say_json
from pyanamo_async.cli.listing import Column, Row, say_table
from pyanamo_async.cli.misfits import Misfits, TagNames
from pyanamo_async.cli.options import on_table
from pyanamo_async.cli.reading import limited
from pyanamo_async.cli.selecting import note_scan, selects_items
from pyanamo_async.core.tags import parse_tag_names

FIXED = ("taskID", "itemID", "Task", "Argument")
RANKS = {"taskID": 2, "itemID": 0, "Task": 4, "Argument": 3}
EPILOG = misfits.EPILOG

Wide = Annotated[bool, typer.Option("--wide", help="One row for each task, even if it printed several lines.")]


@on_table
@selects_items(where='task_state == "done"')
async def results(
    table: Table,
    *,
    selection: Selection,
    tag_names: TagNames = None,
    wide: Wide = False,
    tsv: Annotated[bool, typer.Option("--tsv", help="Tab-separated, on a terminal too.")] = False,
    jsonl: Annotated[bool, typer.Option("--jsonl", help="JSON Lines: an object for each row.")] = False,
) -> None:
    """Show what scripts reported, as one table.

    There is a row for each line that begins with PyAnamo: and a tab, of all tasks that are done.
    Give --state, --where or --all to see what other tasks printed.
    """
    if tsv and jsonl:
        raise UsageError("--tsv and --jsonl are two formats", hint="choose one")
    unfit = Misfits()

    await note_scan(table, selection, whole=True)
    found = table.results(selection, tag_names=tag_names, wide=wide, same_columns=not jsonl, on_misfit=unfit.add)
    rows = limited(found, None)
    if jsonl:
        number = await _say_json_lines(rows)
    else:
        names = (
            [] if tag_names is None else [each.name for each in parse_tag_names(tag_names, taken=FIXED) if each.name]
        )
        number = await _say_table(rows, [*FIXED, *names], drawn=on_terminal() and not tsv)
    if not number and not unfit.number:
        flush()
        note("no results. hint: a script reports one by a line of stdout that begins with PyAnamo: and a tab")
    unfit.tell("pyanamo reset runs tasks again")


async def _say_json_lines(rows: AsyncIterator[Mapping[str, Any]]) -> int:
    number = 0
    async for row in rows:
        say_json(row, lines=True)
        number += 1
    return number


async def _say_table(rows: AsyncIterator[Mapping[str, Any]], columns: Sequence[str], *, drawn: bool) -> int:
    """Write rows that all have the same columns; if there are no rows, write a header of these `columns`."""
    first = await anext(rows, None)
    names = tuple(first or columns)
    number = 0

    async def all_rows() -> AsyncIterator[Sequence[str]]:
        nonlocal number
        if first is None:
            return
        number = 1
        yield _texts(first)
        async for row in rows:
            number += 1
            yield _texts(row)

    if drawn:
        drawn_columns = [Column(name, RANKS.get(name, 1), cut=name not in RANKS) for name in names]
        await say_table(drawn_columns, (Row(fields) async for fields in all_rows()))
        return number
    say_exactly("\t".join(names))
    async for fields in all_rows():
        say_exactly("\t".join(field.replace("\t", " ").replace("\n", " ") for field in fields))
    return number


def _texts(row: Mapping[str, Any]) -> Sequence[str]:
    return ["" if value is None else str(value) for value in row.values()]

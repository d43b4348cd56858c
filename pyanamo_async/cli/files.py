"""`pyanamo files`: what tasks left in their folders for results."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Annotated, Any

import typer

from pyanamo_async import Selection, Table
from pyanamo_async.cli.console import flush, note, on_terminal, say_json_list
from pyanamo_async.cli.listing import Column, Row, say_table
from pyanamo_async.cli.options import JsonOption, on_table
from pyanamo_async.cli.reading import counter
from pyanamo_async.cli.selecting import note_scan, selects_items
from pyanamo_async.cli.written_file import no_stdout
from pyanamo_async.core.text.byte_sizes import show_size
from pyanamo_async.core.text.plural import plural

COLUMNS = (Column("itemID"), Column("task", rank=2), Column("file", cut=True), Column("size", right=True))
IN_A_PIPE = tuple(map(Column, ("itemID", "Task", "Path", "Bytes", "Location")))


@on_table
@selects_items(all=True)
async def files(
    table: Table,
    *,
    selection: Selection,
    into: Annotated[
        Path | None, typer.Option("--into", metavar="DIR", parser=no_stdout, help="Fetch the files into this folder.")
    ] = None,
    json: JsonOption = False,
) -> None:
    """List the files that tasks left in PYANAMO_RESULTS, or fetch them."""
    await note_scan(table, selection, whole=True)
    if into is not None:
        number = 0
        with counter(prints=False) as count:
            async for _ in table.save_files(selection, into):
                number += 1
                count[0] = number
        note(f"{plural(number, 'file')} written to {into}")
    elif json:
        await say_json_list(_rows(table, selection))
    else:
        drawn, number = on_terminal(), 0

        async def rows() -> AsyncIterator[Row]:
            nonlocal number
            async for row in _rows(table, selection):
                number += 1
                fields = ["" if field is None else str(field) for field in row.values()]
                yield Row([*fields[:3], show_size(row["Bytes"])] if drawn else fields)

        await say_table(COLUMNS if drawn else IN_A_PIPE, rows())
        if not number:
            flush()
            note("no files. hint: a script leaves its results in the folder $PYANAMO_RESULTS")


async def _rows(table: Table, selection: Selection) -> AsyncIterator[dict[str, Any]]:
    async for each in table.files(selection):
        yield {
            "itemID": each.item_id,
            "Task": each.task or None,
            "Path": each.path,
            "Bytes": each.size_bytes,
            "Location": each.location,
        }

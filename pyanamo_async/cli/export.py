"""`pyanamo export`: all tasks with their records and results, in a database or file."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from pyanamo_async import Selection, Table
from pyanamo_async.cli import misfits
from pyanamo_async.cli.misfits import Misfits, TagNames
from pyanamo_async.cli.options import on_table
from pyanamo_async.cli.reading import counter
from pyanamo_async.cli.selecting import note_scan, selects_items
from pyanamo_async.cli.written_file import file_or_stdout, told
from pyanamo_async.core.text.plural import plural

EPILOG = misfits.EPILOG


@on_table
@selects_items(all=True)
async def export(
    table: Table,
    *,
    selection: Selection,
    to: Annotated[
        Path,
        typer.Option("--to", metavar="FILE", help="A .db (SQLite), .tsv, .jsonl or .parquet file; - is TSV on stdout."),
    ],
    tag_names: TagNames = None,
    wide: Annotated[
        bool, typer.Option("--wide", help="A task may have several lines, each with columns of its own.")
    ] = False,
    name: Annotated[str, typer.Option("--as", metavar="NAME", help="The table in a SQLite database.")] = "tasks",
) -> None:
    """Export tasks into a database or file.

    There is a row for each task, with its record and what its script reported. In a database that exists, new rows are
    added, rows that changed are replaced, and rows of tasks that an item no longer has are removed. A file is written
    anew. Results that do not fit are listed in the table NAME_misfits, or in a file beside the first.
    """
    unfit, file = Misfits(), file_or_stdout(to)

    await note_scan(table, selection, whole=True)
    with counter(prints=False) as count:
        result = await table.export(
            file,
            selection,
            tag_names=tag_names,
            wide=wide,
            name=name,
            on_misfit=unfit.add,
            progress=partial(count.__setitem__, 0),
        )
    removed = f", {result.removed} removed, of tasks that no longer exist" if result.removed else ""
    told(f"{plural(result.rows, 'row')} written to {to}{removed}", to=file)
    unfit.number = result.misfits
    unfit.tell(f"{result.misfits_in} lists them" if result.misfits_in else "--to FILE also writes a list of them all")

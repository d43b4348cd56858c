"""`pyanamo report`: what became of all tasks, as a page to look at."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from signal import SIGHUP, SIGTERM
from typing import Annotated

import typer

from pyanamo_async import PyanamoError, Selection, Table, UsageError, serve_report, write_perfetto, write_report
from pyanamo_async.cli.console import OutputWriter, flush, note, say
from pyanamo_async.cli.options import on_tables
from pyanamo_async.cli.run_async import ended_by, with_tables
from pyanamo_async.cli.selecting import note_scan
from pyanamo_async.cli.written_file import file_or_stdout, told
from pyanamo_async.core.text.plural import plural


@on_tables
def report(
    tables: Sequence[Table],
    *,
    to: Annotated[
        Path | None, typer.Option("--to", metavar="FILE", help="The page to write, as report.html; - is stdout.")
    ] = None,
    no_scripts: Annotated[bool, typer.Option("--no-scripts", help="Leave commands out of the page.")] = False,
    price_per_hour: Annotated[
        float | None,
        typer.Option(
            "--price-per-hour",
            metavar="NUMBER",
            help="Show costs, at this price for an hour of one CPU of a running task.",
        ),
    ] = None,
    perfetto: Annotated[
        Path | None,
        typer.Option(
            "--perfetto", metavar="FILE", help="Write a trace for Perfetto and chrome://tracing, too; - is stdout."
        ),
    ] = None,
    serve: Annotated[
        bool, typer.Option("--serve", help="Serve the page to this machine, redrawn as tables change, until Ctrl-C.")
    ] = False,
    port: Annotated[
        int, typer.Option("--port", metavar="N", min=0, max=65535, help="With --serve: the port; 0 is any free one.")
    ] = 0,
) -> None:
    """Report what became of all tasks, as one page that needs no network.

    It shows progress, a timeline of workers, throughput, durations, memory, failures and losses, and a list of tasks
    with search and sort. Several tables are steps of one report. Needs the extra [report].
    """
    if to is None and perfetto is None and not serve:
        raise UsageError("no file to write", hint="give --to report.html, --perfetto trace.json or --serve")
    page = None if to is None else file_or_stdout(to)
    spans = None if perfetto is None else file_or_stdout(perfetto)
    if len([each for each in (page, spans) if isinstance(each, OutputWriter)]) + serve > 1:
        raise UsageError("stdout cannot hold two things", hint="write one of them to a file")

    async def work(tables: Sequence[Table]) -> None:
        for table in tables:
            await note_scan(table, Selection(all=True), whole=True, hint="")
        if page is not None:
            result = await write_report(tables, page, scripts=not no_scripts, price_per_hour=price_per_hour)
            less = f"; {result.listed:,} of them listed" if result.listed < result.attempts else ""
            told(f"{plural(result.attempts, 'attempt')} reported in {to}{less}", to=page)
        if spans is not None:
            told(f"{plural(await write_perfetto(tables, spans), 'attempt')} written to {perfetto}", to=spans)
        if serve:
            with ended_by(SIGTERM, SIGHUP):
                await serve_report(
                    tables,
                    ready=_ready,
                    port=port,
                    scripts=not no_scripts,
                    price_per_hour=price_per_hour,
                    missed=_missed,
                )

    with_tables(tables, work)


def _ready(address: str) -> None:
    say(address)
    flush()


def _missed(error: PyanamoError) -> None:
    note(f"pyanamo: {error}; looking again")

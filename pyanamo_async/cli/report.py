"""`pyanamo report`: what became of all tasks, as a page to look at."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from signal import SIGHUP, SIGTERM
from typing import Annotated

import typer

from pyanamo_async import PyanamoError, Selection, Table, UsageError, serve_report, write_perfetto, write_report
from pyanamo_async.cli.console import flush, note, say
from pyanamo_async.cli.options import on_new_files_of_tables
from pyanamo_async.cli.run_async import ended_by, with_tables
from pyanamo_async.cli.selecting import note_scan
from pyanamo_async.core.text.plural import plural


@on_new_files_of_tables
def report(
    tables: Sequence[Table],
    *,
    to: Annotated[Path | None, typer.Option("--to", metavar="FILE", help="The page to write, as report.html.")] = None,
    no_scripts: Annotated[bool, typer.Option("--no-scripts", help="Leave commands out of the page.")] = False,
    price_per_hour: Annotated[
        float | None,
        typer.Option(
            "--price-per-hour", metavar="NUMBER", help="What an hour of one CPU of a running task costs: show costs."
        ),
    ] = None,
    perfetto: Annotated[
        Path | None,
        typer.Option("--perfetto", metavar="FILE", help="Write a trace for Perfetto and chrome://tracing, too."),
    ] = None,
    serve: Annotated[
        bool, typer.Option("--serve", help="Serve the page to this machine, redrawn as tables change, until Ctrl-C.")
    ] = False,
    port: Annotated[
        int, typer.Option("--port", metavar="N", min=0, max=65535, help="With --serve: where; 0 is any that is free.")
    ] = 0,
) -> None:
    """Report what became of all tasks, as one page that needs no network.

    It shows progress, a timeline of workers, throughput, durations, memory, failures and losses, and a list of tasks
    with search and sort. Several tables are steps of one report. Needs the extra [report].
    """
    if to is None and perfetto is None and not serve:
        raise UsageError("no file to write", hint="give --to report.html, --perfetto trace.json or --serve")

    async def work(tables: Sequence[Table]) -> None:
        for table in tables:
            await note_scan(table, Selection(all=True), whole=True, hint="")
        if to is not None:
            result = await write_report(tables, to, scripts=not no_scripts, price_per_hour=price_per_hour)
            less = f"; {result.listed:,} of them listed" if result.listed < result.attempts else ""
            say(f"{plural(result.attempts, 'attempt')} reported in {to}{less}")
        if perfetto is not None:
            say(f"{plural(await write_perfetto(tables, perfetto), 'attempt')} written to {perfetto}")

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

"""`pyanamo bench`: what the table, its output and this machine can do."""

from __future__ import annotations

from dataclasses import asdict
from signal import SIGHUP, SIGINT, SIGTERM
from typing import Annotated

import typer

from pyanamo_async import BenchReport, Table, run_on_loop
from pyanamo_async.cli.console import say, say_json
from pyanamo_async.cli.flags import size as size_flag
from pyanamo_async.cli.options import JsonOption, on_table
from pyanamo_async.cli.run_async import ended_by
from pyanamo_async.core.text.byte_sizes import show_size

MAX_ITEMS, MAX_AT_ONCE = 100_000, 1_000


@on_table
def bench(
    table: Table,
    *,
    items: Annotated[int, typer.Option("--items", metavar="N", min=1, max=MAX_ITEMS, help="Items to run.")] = 200,
    concurrency: Annotated[
        int,
        typer.Option("-i", "--concurrency", metavar="N", min=1, max=MAX_AT_ONCE, help="Items at a time, as for `run`."),
    ] = 8,
    output: Annotated[
        int, typer.Option("--output", metavar="SIZE", parser=size_flag, help="How much output to store as one stream.")
    ] = "32MiB",  # type: ignore[assignment]  # parsed as any other text
    json: JsonOption = False,
) -> None:
    """Measure the table and its output: rates, and what an item costs.

    It creates a table of its own, named like yours with -bench at the end, with the same shards and indexes. At the end
    it removes that table and everything that it stored. Workers on your table are not affected. What a killed bench
    leaves is removed by the next one, or by `pyanamo table delete`.
    """

    async def measure() -> BenchReport:
        async with table:
            with ended_by(SIGINT, SIGTERM, SIGHUP):
                return await table.bench(items=items, concurrency=concurrency, stream_bytes=output)

    report = run_on_loop(measure())
    if json:
        say_json(_json(report))
    else:
        _show(report)


def _show(report: BenchReport) -> None:
    say(f"import\t{report.imported_per_second:,.0f} items/s")
    say(f"worker\t{report.run_per_second:,.0f} items/s")
    if report.output_bytes_per_second is not None:
        say(f"output\t{show_size(round(report.output_bytes_per_second))}/s")
    if report.units_per_item:
        say(f"item\t{report.units_per_item.write:.2f} write units, {report.units_per_item.read:.2f} read units")
        say(f"million\tUSD {report.usd_per_million_items:.2f} on demand in us-east-1")


def _json(report: BenchReport) -> dict[str, object]:
    units = report.units_per_item
    return asdict(report) | {
        "units_per_item": {"write": units.write, "read": units.read} if units else None,
        "usd_per_million_items": report.usd_per_million_items,
    }

"""`pyanamo bench`: what the table, its output and this machine can do."""

from __future__ import annotations

from collections.abc import AsyncIterator
from signal import SIGHUP, SIGINT, SIGTERM
from typing import Annotated

import typer

from pyanamo_async import BenchReport, Measurement, Operation, Table, Units, run_on_loop
from pyanamo_async.cli.console import Row, note, say_json, say_table
from pyanamo_async.cli.flags import name_flags
from pyanamo_async.cli.flags import size as size_flag
from pyanamo_async.cli.options import JsonOption, on_table
from pyanamo_async.cli.run_async import ended_by
from pyanamo_async.cli.views import size

MAX_ITEMS, MAX_AT_ONCE = 100_000, 1_000
PRICE = "the list price on demand of us-east-1 since 2024-11-01"
COLUMNS = ("measured", "at once", "rate", "p50 ms", "p95 ms", "max ms", "WRU", "RRU")  # request units, as AWS says


@on_table
def bench(
    table: Table,
    *,
    items: Annotated[
        int, typer.Option("--items", metavar="N", min=1, max=MAX_ITEMS, help="Items of each measurement.")
    ] = 200,
    concurrency: Annotated[
        int,
        typer.Option("-i", "--concurrency", metavar="N", min=1, max=MAX_AT_ONCE, help="Items at a time, as of `run`."),
    ] = 8,
    output: Annotated[
        int, typer.Option("--output", metavar="SIZE", parser=size_flag, help="How much output to store as one stream.")
    ] = "32MiB",  # type: ignore[assignment]  # parsed as any other text
    json: JsonOption = False,
) -> None:
    """Measure the table and its output: rate, latency, and what an item costs.

    It creates a table of its own beside yours, called like yours with -bench, with the same shards and indexes, and
    removes it at the end with everything stored. Workers on your table are left alone. What a killed bench leaves
    behind is removed by the next one, or by `pyanamo table delete`.
    """

    async def measure() -> None:
        async with table:
            with ended_by(SIGINT, SIGTERM, SIGHUP):
                report = await table.bench(items=items, concurrency=concurrency, stream_bytes=output, note=_note)
            if json:
                say_json(_json(report))
            else:
                await say_table(COLUMNS, _rows(report))

    run_on_loop(measure())


def _note(line: str) -> None:
    note(name_flags(line))


async def _rows(report: BenchReport) -> AsyncIterator[Row]:
    for each in report.measurements:
        latencies = [_milliseconds(each.latency_s(percent)) for percent in (50, 95, 100)]
        yield Row((each.operation, str(each.at_once), _rate(each), *latencies, *_units(each.units_each())))
    if report.units_per_item:
        cost = f"USD {report.usd_per_million_items:.2f}/M"
        yield Row(("item, altogether", "", cost, "", "", "", *_units(report.units_per_item)))
        note(f"at {PRICE}")


def _rate(measurement: Measurement) -> str:
    if measurement.operation is Operation.STREAM:
        return f"{size(round(measurement.size_bytes / measurement.seconds))}/s"
    return f"{measurement.count / measurement.seconds:,.0f}/s"


def _milliseconds(latency_s: float | None) -> str:
    return "" if latency_s is None else f"{1000 * latency_s:.2f}"


def _units(units: Units | None) -> tuple[str, str]:
    return (f"{units.write:.2f}", f"{units.read:.2f}") if units else ("", "")


def _json(report: BenchReport) -> dict[str, object]:
    units, usd = report.units_per_item, report.usd_per_million_items
    return {
        "table": report.table,
        "output": report.output,
        "measured": [_measurement(each) for each in report.measurements],
        "write_units_per_item": units and units.write,
        "read_units_per_item": units and units.read,
        "usd_per_million_items": usd and round(usd, 4),
        "price": units and PRICE,
    }


def _measurement(each: Measurement) -> dict[str, object]:
    units = each.units_each()
    latencies = {name: each.latency_s(percent) for name, percent in (("p50_ms", 50), ("p95_ms", 95), ("max_ms", 100))}
    return {
        "what": str(each.operation),
        "at_once": each.at_once,
        "count": each.count,
        "seconds": each.seconds,
        "size_bytes": each.size_bytes or None,
        **{name: latency and 1000 * latency for name, latency in latencies.items()},
        "write_units": units and units.write,
        "read_units": units and units.read,
    }

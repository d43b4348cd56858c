"""`pyanamo bench`: its flags."""

from __future__ import annotations

import math
from typing import Annotated

import typer

from pyanamo_async.app.settings import Settings
from pyanamo_async.cli.options import JsonOption, addressed
from pyanamo_async.core.text.byte_sizes import parse_size
from pyanamo_async.errors import UsageError

MOST_ITEMS, MOST_AT_ONCE = 100_000, 1_000
WRITE_USD, READ_USD = 0.625, 0.125  # of a million request units: https://aws.amazon.com/dynamodb/pricing/on-demand/


@addressed
def bench(
    given: Settings,
    *,
    items: Annotated[
        int, typer.Option("--items", metavar="N", min=1, max=MOST_ITEMS, help="Items of each measurement.")
    ] = 200,
    concurrency: Annotated[
        int,
        typer.Option("-i", "--concurrency", metavar="N", min=1, max=MOST_AT_ONCE, help="Items at a time, as run has."),
    ] = 8,
    output: Annotated[str, typer.Option("--output", metavar="SIZE", help="Size of the stream to store.")] = "32MiB",
    write_price: Annotated[
        float, typer.Option("--write-price", metavar="USD", min=0, help="Of a million write units.")
    ] = WRITE_USD,
    read_price: Annotated[
        float, typer.Option("--read-price", metavar="USD", min=0, help="Of a million read units.")
    ] = READ_USD,
    json: JsonOption = False,
) -> None:
    """Measure the table and the place for output: rate, latency, and what an item costs.

    It works on a table of its own beside yours, called like yours with -bench, with the same shards and indexes, and
    removes it in the end with all that was stored. Workers on your table are left alone.
    """
    from pyanamo_async.cli.bench_report import Price, Wanted, measure

    if not math.isfinite(write_price + read_price):
        raise UsageError("--write-price or --read-price is no price", hint="give USD, as 0.625")
    wanted = Wanted(items, concurrency, _stream_bytes(output))
    measure(given, wanted, Price(write_price, read_price), json=json)


def _stream_bytes(text: str) -> int:
    try:
        stream_bytes = parse_size(text)
    except ValueError as error:
        raise UsageError(f"--output: {error}") from None
    if not stream_bytes:
        raise UsageError("--output is nothing", hint="give the size of a stream, as 32MiB")
    return stream_bytes

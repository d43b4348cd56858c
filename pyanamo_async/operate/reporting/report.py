"""Write a report of tables, and their attempts as a trace."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from pyanamo_async.errors import UsageError
from pyanamo_async.operate.exporting.files import Writable, named_file
from pyanamo_async.operate.reporting.collect import Attempt, Collected
from pyanamo_async.operate.reporting.page import page
from pyanamo_async.operate.reporting.perfetto import write_trace
from pyanamo_async.operate.reporting.plots import library, plots
from pyanamo_async.ports import Store


@dataclass(frozen=True, slots=True)
class ReportResult:
    """What a report holds: how many attempts it counts, and how many of them it lists and draws one by one."""

    attempts: int
    listed: int


async def write_report(
    stores: Sequence[tuple[str, Store]], to: Path | Writable, *, scripts: bool, price: float | None, at: datetime
) -> ReportResult:
    """Write the report of some tables, by name, into a file.

    Raises:
        UsageError: the file cannot be written.
    """
    with named_file(to) as file:
        collected = await _collect(stores, scripts=scripts)
        attempts = collected.attempts()
        for part in _drawn(collected, attempts, at=at, price=price):
            file.write(part.encode())
    return ReportResult(collected.total, len(attempts))


async def draw_report(
    stores: Sequence[tuple[str, Store]], *, scripts: bool, price: float | None, at: datetime, version: str
) -> bytes:
    """Return the report of some tables, by name, as a page that asks its server for newer versions."""
    collected = await _collect(stores, scripts=scripts)

    def draw() -> bytes:
        parts = _drawn(collected, collected.attempts(), at=at, price=price, version=version)
        return "".join(parts).encode()

    return await asyncio.to_thread(draw)


async def _collect(stores: Sequence[tuple[str, Store]], *, scripts: bool) -> Collected:
    collected = Collected(random.Random(0), scripts)  # noqa: S311 - the same table makes the same page
    for name, store in stores:
        await collected.read(store, name)
    return collected


def _drawn(
    collected: Collected, attempts: Sequence[Attempt], *, at: datetime, price: float | None, version: str | None = None
) -> Iterator[str]:
    yield from page(collected, attempts, plots(collected, attempts), library(), at=at, price=price, version=version)


async def write_perfetto(stores: Sequence[tuple[str, Store]], to: Path | Writable) -> int:
    """Write all attempts of some tables as a trace into a file, and return how many there are.

    Raises:
        UsageError: the file cannot be written.
    """
    with named_file(to) as file:
        return await write_trace(stores, file)


def check_price(price: float | None) -> None:
    """Raise `UsageError` for a price below 0, or none."""
    if price is not None and not 0 <= price < float("inf"):
        raise UsageError(f"`price_per_hour` is {price}", hint="give what a CPU costs in an hour, 0 or more")

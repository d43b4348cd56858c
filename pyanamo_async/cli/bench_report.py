"""Measure for `pyanamo bench`, and show the figures as people read them and as JSON has them."""

from __future__ import annotations

import secrets
import socket
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial
from signal import SIGHUP, SIGINT, SIGTERM

from pyanamo_async.app import resources
from pyanamo_async.app.locations import beside
from pyanamo_async.app.settings import DEFAULT_SHARDS, Settings, WorkerSettings
from pyanamo_async.cli.bench import READ_USD, WRITE_USD
from pyanamo_async.cli.console import Row, note, say_json, say_table
from pyanamo_async.cli.run_async import ended_by
from pyanamo_async.cli.views import size
from pyanamo_async.core.workers import Worker
from pyanamo_async.errors import PyanamoError, TableMissing
from pyanamo_async.host.clock import SystemClock
from pyanamo_async.host.liveness import own_mark, process_status
from pyanamo_async.operate.bench import Bench
from pyanamo_async.operate.bench_table import MARK, SUFFIX, Disposable
from pyanamo_async.operate.measurements import Measurement, What, units_per_item
from pyanamo_async.ports import Description, OutputStore, Units

LEASE = timedelta(hours=1)  # after which a bench that was killed on another machine is known to be dead
COLUMNS = ("measured", "at once", "rate", "p50 ms", "p95 ms", "max ms", "WRU", "RRU")  # request units, as AWS says


@dataclass(frozen=True, slots=True)
class Wanted:
    """How many items to measure with, how many of them at a time, and how long a stream."""

    items: int
    at_once: int
    stream_bytes: int


@dataclass(frozen=True, slots=True)
class Price:
    """What a million units cost."""

    write_usd: float
    read_usd: float

    def of(self, units: Units) -> float:
        """Tell what a million times these units cost, in USD."""
        return units.write * self.write_usd + units.read * self.read_usd

    def __str__(self) -> str:
        known = self == Price(WRITE_USD, READ_USD)
        where = " (the list price on demand of us-east-1 since 2024-11-01)" if known else ""
        return f"USD {self.write_usd:g} a million write units and {self.read_usd:g} a million read units{where}"


def measure(given: Settings, wanted: Wanted, price: Price, *, json: bool) -> None:
    """Measure on a disposable table, and say the figures when it is gone."""
    settings = replace(given, table=beside(given.table, SUFFIX), running=WorkerSettings(items=wanted.at_once))

    async def work(opened: resources.Resources) -> None:
        with ended_by(SIGINT, SIGTERM, SIGHUP):
            figures = await _figures(opened, await _described(given), settings, wanted)
        if json:
            say_json(_json(given, figures, price))
        else:
            await say_table(COLUMNS, _rows(figures, price))

    resources.run_bench(settings, work)


async def _figures(
    opened: resources.Resources, like: Description | None, settings: Settings, wanted: Wanted
) -> Sequence[Measurement]:
    store, outputs = await opened.store(urgent=True), await _usable_outputs(opened)
    me, clock = _me(), SystemClock()
    disposable = Disposable(str(settings.table), store, outputs, me, clock, process_status, note)
    shards, extra_indexes = (like.shards, like.extra_indexes) if like else (DEFAULT_SHARDS, ())
    async with disposable.made(shards=shards, indexes=extra_indexes) as output_namespace:
        bench = Bench(
            store=store,
            outputs=outputs,
            output_namespace=output_namespace,
            me=me,
            clock=clock,
            meter=opened.units,
            work=partial(resources.run_beside, settings, opened, outputs),
            say=note,
            items=wanted.items,
            at_once=wanted.at_once,
            stream_bytes=wanted.stream_bytes,
        )
        return await bench.measure()


async def _described(given: Settings) -> Description | None:
    async with resources.Resources(given) as opened:
        try:
            like = await (await opened.store()).describe()
        except TableMissing:
            note(f"there is no table {given.table} yet: what is measured is like a new one")
            return None
    if like.billing == "provisioned":
        note(f"table {given.table} has provisioned capacity: what is measured is a table on demand")
    return like


async def _usable_outputs(opened: resources.Resources) -> OutputStore | None:
    try:
        outputs = await opened.outputs()
        await outputs.check()
    except PyanamoError as trouble:
        note(f"output is not measured: {trouble}")
        return None
    return outputs


def _me() -> Worker:
    now, host = SystemClock().now(), socket.gethostname()
    return Worker(f"{host}-{secrets.token_hex(4)}", host, now, now, LEASE, job=MARK, process=own_mark())


async def _rows(figures: Sequence[Measurement], price: Price) -> AsyncIterator[Row]:
    for each in figures:
        latencies = [_milliseconds(each.latency_s(percent)) for percent in (50, 95, 100)]
        yield Row((each.what, str(each.at_once), _rate(each), *latencies, *_units(each.each())))
    if units := units_per_item(figures):
        yield Row(("item, in all", "", f"USD {price.of(units):.2f}/M", "", "", "", *_units(units)))
        note(f"at {price}; --write-price and --read-price are for others")


def _rate(figure: Measurement) -> str:
    if figure.what is What.STREAM:
        return f"{size(round(figure.size_bytes / figure.seconds))}/s"
    return f"{figure.count / figure.seconds:,.0f}/s"


def _milliseconds(latency_s: float | None) -> str:
    return "" if latency_s is None else f"{1000 * latency_s:.2f}"


def _units(units: Units | None) -> tuple[str, str]:
    return (f"{units.write:.2f}", f"{units.read:.2f}") if units else ("", "")


def _json(given: Settings, figures: Sequence[Measurement], price: Price) -> dict[str, object]:
    cost = units_per_item(figures)
    return {
        "table": str(given.table),
        "output": str(given.output) if given.output else None,
        "measured": [_figure(each) for each in figures],
        "write_units_per_item": cost and cost.write,
        "read_units_per_item": cost and cost.read,
        "usd_per_million_items": cost and round(price.of(cost), 4),
        "price": cost and str(price),
    }


def _figure(figure: Measurement) -> dict[str, object]:
    units = figure.each()
    latencies = {name: figure.latency_s(percent) for name, percent in (("p50_ms", 50), ("p95_ms", 95), ("max_ms", 100))}
    return {
        "what": str(figure.what),
        "at_once": figure.at_once,
        "count": figure.count,
        "seconds": figure.seconds,
        "size_bytes": figure.size_bytes or None,
        **{name: latency and 1000 * latency for name, latency in latencies.items()},
        "write_units": units and units.write,
        "read_units": units and units.read,
    }

"""Measurements: times, latencies, and the request units that were charged."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TypeVar

from pyanamo_async.errors import Unavailable
from pyanamo_async.ports import Clock, Units

T = TypeVar("T")

WRITE_USD, READ_USD = 0.625, 0.125  # a million request units: https://aws.amazon.com/dynamodb/pricing/on-demand/
TABLE_WITHIN_S, LOOK_S = 30.0, 0.05  # how long, and how often, to ask a throttled table or a lagging index


class Operation(StrEnum):
    """What is measured."""

    IMPORT = "import"
    CLAIM = "claim"
    SETTLE = "settle"
    HEARTBEAT = "heartbeat"
    WORKER = "worker"
    SMALL = "small output"
    STREAM = "output stream"


@dataclass(slots=True)
class Measurement:
    """`count` operations in `seconds`, for `units` altogether; `latencies_s` are those of single calls."""

    operation: Operation
    at_once: int
    clock: Clock
    meter: Callable[[], Units | None]
    count: int = 0
    seconds: float = 0.0
    units: Units | None = None
    size_bytes: int = 0
    latencies_s: list[float] = field(default_factory=list)

    @contextmanager
    def timed(self) -> Iterator[None]:
        """Add the time and the units of what is done meanwhile."""
        units, began_s = self.meter(), self.clock.monotonic()
        yield
        self.seconds += self.clock.monotonic() - began_s
        if units is not None and (after := self.meter()) is not None:
            self.units = (self.units or Units()) + (after - units)

    async def call(self, call: Callable[[], Awaitable[T]]) -> T:
        """Time a call; a throttled one is repeated, as workers do, and all of that counts."""
        began_s = self.clock.monotonic()
        while True:
            try:
                answer = await call()
            except Unavailable:
                if self.clock.monotonic() - began_s > TABLE_WITHIN_S:
                    raise
                await asyncio.sleep(LOOK_S)
            else:
                self.latencies_s.append(self.clock.monotonic() - began_s)
                return answer

    def latency_s(self, percent: int) -> float | None:
        """Return the latency that `percent` of the calls did not exceed; None where calls were not timed."""
        latencies = sorted(self.latencies_s)
        return latencies[math.ceil(percent / 100 * len(latencies)) - 1] if latencies else None

    def units_each(self) -> Units | None:
        """Return the units of one operation; None where there is no charge, or some replies did not name theirs."""
        if self.units is None or self.units.untold:
            return None
        return Units(self.units.write / self.count, self.units.read / self.count)


def units_per_item(measurements: Sequence[Measurement]) -> Units | None:
    """Return what an item costs from import to done; None where there is no charge, or it is not known.

    The first measurement of each operation counts, which was taken one at a time: for these every service names its
    units. Batches are charged the same.
    """
    first: dict[Operation, Units | None] = {}
    for each in measurements:
        first.setdefault(each.operation, each.units_each())
    life = [first[each] for each in (Operation.IMPORT, Operation.CLAIM, Operation.SETTLE)]
    return None if None in life else sum((units for units in life if units), Units())


@dataclass(frozen=True, slots=True)
class BenchReport:
    """What a bench measured, of which table, and where output was stored."""

    table: str
    output: str | None
    measurements: Sequence[Measurement]

    @property
    def units_per_item(self) -> Units | None:
        """Request units of an item from import to done; None where there is no charge, or it is not known."""
        return units_per_item(self.measurements)

    @property
    def usd_per_million_items(self) -> float | None:
        """What a million items cost at the list price of us-east-1, on demand; None as for the units."""
        units = self.units_per_item
        return None if units is None else units.write * WRITE_USD + units.read * READ_USD

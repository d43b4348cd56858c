"""What was measured: times, latencies, and the units that were charged."""

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

TABLE_WITHIN_S, LOOK_S = 30.0, 0.05  # with a table that is throttled, or an index that lags


class What(StrEnum):
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
    """What is measured: `count` of them in `seconds`, for `units` in all; `latencies_s` are those of calls."""

    what: What
    at_once: int
    clock: Clock
    meter: Callable[[], Units | None]
    count: int = 0
    seconds: float = 0.0
    units: Units | None = None
    size_bytes: int = 0
    latencies_s: list[float] = field(default_factory=list)

    @contextmanager
    def taken(self) -> Iterator[None]:
        """Take the time and the units of what is done meanwhile."""
        units, began_s = self.meter(), self.clock.monotonic()
        yield
        self.seconds += self.clock.monotonic() - began_s
        if units is not None and (after := self.meter()) is not None:
            self.units = (self.units or Units()) + (after - units)

    async def call(self, call: Callable[[], Awaitable[T]]) -> T:
        """Take the latency of a call; one that is throttled is repeated, as workers do, and all of that counts."""
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
        """Tell the latency that so many percent of the calls did not exceed; None where calls were not timed."""
        latencies = sorted(self.latencies_s)
        return latencies[math.ceil(percent / 100 * len(latencies)) - 1] if latencies else None

    def each(self) -> Units | None:
        """Tell the units of one of them; None where nobody charges, or not all was told."""
        if self.units is None or self.units.untold:
            return None
        return Units(self.units.write / self.count, self.units.read / self.count)


def units_per_item(figures: Sequence[Measurement]) -> Units | None:
    """Add up what an item costs from import to done; None where nobody charges, or not all was told.

    Of each the first, which was done one at a time: for that all services tell. In batches the charge is the same.
    """
    first: dict[What, Units | None] = {}
    for figure in figures:
        first.setdefault(figure.what, figure.each())
    life = [first[what] for what in (What.IMPORT, What.CLAIM, What.SETTLE)]
    return None if None in life else sum((units for units in life if units), Units())

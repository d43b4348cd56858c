"""Times, sizes and counts as several commands show them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from datetime import UTC, datetime
from typing import TypeVar

from pyanamo_async.core.items import Counts, State
from pyanamo_async.core.text.plural import plural

T = TypeVar("T")

COLOURS: dict[str, str] = {
    State.TODO: "cyan",
    State.LOCKED: "yellow",
    State.DONE: "green",
    State.FAILED: "red",
    State.WALL_TIME_EXCEEDED: "magenta",
}
KILOBYTE = 1024


def by_state(counts: Counts) -> dict[str, int]:
    """Return the number of items in each state, in the order of states."""
    return {str(state): counts.items.get(state, 0) for state in State}


def clock_time(time: datetime) -> str:
    """Format a time for people, to the second, in UTC."""
    return f"{time.astimezone(UTC):%Y-%m-%d %H:%M:%S}Z"


def size(count: int) -> str:
    """Format a number of bytes for people."""
    amount = float(count)
    if count < KILOBYTE:
        return plural(count, "byte")
    for unit in ("KB", "MB", "GB"):
        amount /= KILOBYTE
        if amount < KILOBYTE:
            return f"{amount:.1f} {unit}"
    return f"{amount / KILOBYTE:.1f} TB"


async def one_by_one(values: Iterable[T]) -> AsyncIterator[T]:
    """Yield what is there already, for what takes things as they come."""
    for value in values:
        yield value

"""The lanes of the queue that only some workers take: what waits there, and the table's setting of last attempts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from pyanamo_async.core.items import Item
from pyanamo_async.core.queue_lanes import Lane


class LaneReader(Protocol):
    """Read what only some workers take."""

    async def lane_counts(self) -> Mapping[Lane, int]:
        """Count the items in `todo` that only some workers take, by lane; it costs nothing where none ever was."""
        ...

    async def in_lane(self, lane: Lane, *, most: int) -> list[Item]:
        """Read up to `most` items in `todo` of such a lane, whole, in no order; those that cannot be read are noted."""
        ...


class LastAttempts(Protocol):
    """How often an item's machine may be lost before the item is left to workers that take last attempts."""

    async def last_attempts_after(self) -> int | None:
        """Return that number as last written; None if no item is left to them, as in a new table."""
        ...

    async def leave_last_attempts(self, after: int | None) -> None:
        """Write that number, 1 or more, or None; items that are left to them already stay so."""
        ...

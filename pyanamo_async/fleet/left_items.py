"""Find the items that no living worker takes, and how much memory a worker has to have for them.

Lanes are counted by the queue, where their items' needs are not: up to `LOOKED_AT` items of each lane are read.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from pyanamo_async.core.queue_lanes import Lane, OutOfReach, WorkerKind, left_by, out_of_reach
from pyanamo_async.errors import Denied
from pyanamo_async.ports import LaneReader

LOOKED_AT = 50  # items; on DynamoDB about a read unit for each


async def left_items(store: LaneReader, kinds: Iterable[WorkerKind], *, needs: bool = True) -> list[OutOfReach]:
    """Return the items that workers of these kinds leave: last attempts, then by memory class, the smallest first.

    Without `needs` only their classes are known, and no row is read.
    """
    left = left_by(await store.lane_counts(), kinds)
    return await described(store, left) if needs else [out_of_reach(*each) for each in left.items()]


async def described(store: LaneReader, counted: Mapping[Lane, int]) -> list[OutOfReach]:
    """Return items counted by lane with what they need; a role that may not read rows does not learn that."""
    found = []
    for lane, items in counted.items():
        try:
            seen = await store.in_lane(lane, most=LOOKED_AT) if lane.memory_class else []
        except Denied:
            seen = []
        found.append(out_of_reach(lane, items, seen))
    return found

"""The lanes of a table's queue: those in which items ever waited, as the table's row names them.

1. A lane is named before the first item is placed in it: what no row names holds nothing, and nobody looks there.
2. Names stay. A worker learns of new ones with its notifications, or from the first key of a queue.
3. The setting of last attempts names their lane, also when it is off again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from pyanamo_async.core.items import Item, State
from pyanamo_async.core.memory.classes import EVERY_CLASS
from pyanamo_async.core.queue_lanes import EVERYBODY, LAST_ATTEMPTS, TAKES_ALL, Lane, lane_of
from pyanamo_async.core.stored.columns import Row
from pyanamo_async.core.stored.queue_key import BEYOND_LANES, LANES, lane_bounds, lane_in, lane_prefix
from pyanamo_async.errors import Unavailable
from pyanamo_async.store.dynamodb.candidate_pages import Keys
from pyanamo_async.store.dynamodb.rows import TABLE_ROW
from pyanamo_async.store.dynamodb.table import Table
from pyanamo_async.store.dynamodb.writes import Path, Update

MEMORY_CLASSES = "Memory_Classes"  # in the table's row: a list of numbers
LAST_ATTEMPTS_AFTER = "Last_Attempts_After"  # in the table's row: 0 for never
NAMING = (MEMORY_CLASSES, LAST_ATTEMPTS_AFTER)
CLASS_RANGE = range(1, EVERY_CLASS + 1)
TRIES = 20  # while others name theirs


class QueueLanes:
    """What one store knows of them, beside the lane of everybody; it takes items of those of its `kind`."""

    def __init__(self, row: Mapping[str, Any]) -> None:
        self.known = lanes_of(row)
        self.kind = TAKES_ALL

    def own(self) -> list[Lane]:
        """Return the lanes to look into, those of the fewest workers first."""
        return sorted(filter(self.kind.takes, {*self.known, EVERYBODY}), key=lane_prefix, reverse=True)

    def learn(self, lanes: Iterable[Lane]) -> bool:
        """Return whether there are new ones among these."""
        new = {*lanes} - self.known - {EVERYBODY}
        self.known |= new
        return bool(new)

    async def discover(self, table: Table, rows: Iterable[Row]) -> bool:
        """Learn from the keys of a queue, and if one is new, from the table's row; return whether there was one."""
        is_new = self.learn(lane_in(str(row["Queue_Key"])) for row in rows)
        if is_new:
            self.learn(lanes_of(await table.get(TABLE_ROW) or {}))
        return is_new

    def ranges(self, lane: Lane) -> list[Keys]:
        """Return where a lane is in a queue; that of everybody is everywhere, as long as no other is known."""
        if lane != EVERYBODY:
            return [lane_bounds(lane)]
        return [(None, LANES), (BEYOND_LANES, None)] if self.known else [(None, None)]

    async def name(self, table: Table, items: Iterable[Item]) -> None:
        """Name the lanes of items that are about to be placed."""
        wanted = {lane_of(item) for item in items if item.state is State.TODO}
        if not (new := wanted - self.known - {EVERYBODY}):
            return
        await _write(table, lambda row: _names(row, lanes_of(row) | new))
        self.learn(new)

    async def leave_last_attempts(self, table: Table, after: int | None) -> None:
        """Write the setting of last attempts."""
        await _write(table, lambda row: {} if last_attempts_after(row) == after else {LAST_ATTEMPTS_AFTER: after or 0})
        self.learn([LAST_ATTEMPTS] if after else [])


def lanes_of(row: Mapping[str, Any]) -> set[Lane]:
    """Return the lanes that a table's row names, as far as they can be read."""
    named = row.get(MEMORY_CLASSES)
    classes = {Lane(each) for each in named if each in CLASS_RANGE} if isinstance(named, list) else set()
    return classes | ({LAST_ATTEMPTS} if LAST_ATTEMPTS_AFTER in row else set())


def last_attempts_after(row: Mapping[str, Any]) -> int | None:
    """Return the setting of last attempts that a table's row tells; None if it is no positive number."""
    after = row.get(LAST_ATTEMPTS_AFTER)
    return after if isinstance(after, int) and after > 0 else None


async def _write(table: Table, settings: Callable[[Row], Mapping[str, object]]) -> None:
    """Write what names lanes into the table's row, whoever else does so at the same time."""
    for _ in range(TRIES):
        if (row := await table.get(TABLE_ROW)) is None:
            return  # the table is gone, as what follows will say
        sets: dict[Path, object] = {(name,): value for name, value in settings(row).items() if row.get(name) != value}
        expected = {name: row.get(name) for name in ("Schema_Version", *NAMING)}
        if not sets or (await table.send_alone(Update(TABLE_ROW, expected, sets))).met:
            return
    raise Unavailable(f"the lanes of {table.what} could not be written")


def _names(row: Row, lanes: Iterable[Lane]) -> dict[str, object]:
    """Return the settings that name these lanes."""
    classes = sorted(lane.memory_class for lane in lanes if lane.memory_class)
    names: dict[str, object] = {MEMORY_CLASSES: classes} if classes else {}
    return names | ({LAST_ATTEMPTS_AFTER: row.get(LAST_ATTEMPTS_AFTER, 0)} if LAST_ATTEMPTS in lanes else {})

"""The memory classes of a table: which of them items ever had, as the table's row names them.

1. A class is named before the first item of it is placed: what no row names holds nothing, and nobody looks there.
2. Names stay. A worker learns of new ones with its notifications, or from the first key of a queue.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from pyanamo_async.core.items import Item, State
from pyanamo_async.core.memory.classes import EVERY_CLASS
from pyanamo_async.core.stored.columns import Row
from pyanamo_async.core.stored.queue_key import BEYOND_CLASSES, CLASSES, class_bounds, class_in
from pyanamo_async.errors import Unavailable
from pyanamo_async.store.dynamodb.candidate_pages import Keys
from pyanamo_async.store.dynamodb.rows import TABLE_ROW
from pyanamo_async.store.dynamodb.table import Table
from pyanamo_async.store.dynamodb.writes import Update

MEMORY_CLASSES = "Memory_Classes"  # in the table's row: a list of numbers
CLASS_RANGE = range(1, EVERY_CLASS + 1)
TRIES = 20  # while others name theirs


class MemoryClasses:
    """What one store knows of them; it takes items of classes up to `largest`."""

    def __init__(self, row: Mapping[str, Any]) -> None:
        self.known = classes_of(row)
        self.largest = EVERY_CLASS

    def own(self) -> list[int]:
        """Return the classes to look at, the largest first, and 0 for all items without one."""
        return [*sorted((each for each in self.known if each <= self.largest), reverse=True), 0]

    def learn(self, classes: Iterable[int]) -> bool:
        """Return whether there are new ones among these."""
        new = {*classes} - self.known - {0}
        self.known |= new
        return bool(new)

    async def discover(self, table: Table, rows: Iterable[Row]) -> bool:
        """Learn from the keys of a queue, and if one is new, from the table's row; return whether there was one."""
        is_new = self.learn(class_in(str(row["Queue_Key"])) for row in rows)
        if is_new:
            self.learn(classes_of(await table.get(TABLE_ROW) or {}))
        return is_new

    def ranges(self, memory_class: int) -> list[Keys]:
        """Return where a class, or all without one, is in a queue; everywhere, as long as no class is known."""
        if memory_class:
            return [class_bounds(memory_class)]
        return [(None, CLASSES), (BEYOND_CLASSES, None)] if self.known else [(None, None)]

    async def name(self, table: Table, items: Iterable[Item]) -> None:
        """Name the classes of items that are about to be placed."""
        if not (new := {item.memory_class for item in items if item.state is State.TODO} - self.known - {0}):
            return
        for _ in range(TRIES):
            if (row := await table.get(TABLE_ROW)) is None:
                return  # the table is gone, as what follows will say
            named = classes_of(row)
            if new <= named:
                break
            expected = {"Schema_Version": row.get("Schema_Version"), MEMORY_CLASSES: row.get(MEMORY_CLASSES)}
            if (await table.send_alone(Update(TABLE_ROW, expected, {(MEMORY_CLASSES,): sorted(named | new)}))).met:
                break
        else:
            raise Unavailable(f"the memory classes of {table.what} could not be written")
        self.learn(named | new)


def classes_of(row: Mapping[str, Any]) -> set[int]:
    """Return the classes that a table's row names, as far as they can be read."""
    named = row.get(MEMORY_CLASSES)
    return {each for each in named if each in CLASS_RANGE} if isinstance(named, list) else set()

"""Ranges of the queue in which a worker finds items, in the order in which it takes them.

Items of a memory class come first, the largest class first: only few workers take those. Where there are none, finding
that out costs one step in the index. A key that begins like a class and names none was written by another program:
such an item is for everybody.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator

from pyanamo_async.core.items import State
from pyanamo_async.core.stored.queue_key import BEYOND_CLASSES, CLASSES, class_bounds, class_in
from pyanamo_async.store.sqlite.rows import raw

Range = tuple[bytes, bytes]  # from the first key on, and before the second, as stored
NO_END = b"\xff" * 8  # after all texts
WITHIN = "Queue_Key >= CAST(? AS TEXT) AND Queue_Key < CAST(? AS TEXT)"
LAST = f"SELECT max(Queue_Key) FROM items WHERE ItemState = 'todo' AND {WITHIN}"  # noqa: S608 - constants only


def queue_ranges(connection: sqlite3.Connection, state: State, largest_class: int) -> Iterator[Range]:
    """Yield the ranges of a state's queue in which a worker that takes classes up to the largest finds items."""
    if state is not State.TODO:
        yield b"", NO_END
        return
    for memory_class, found in class_ranges(connection):
        if memory_class <= largest_class:
            yield found
    yield b"", raw(CLASSES)
    yield raw(BEYOND_CLASSES), NO_END


def class_ranges(connection: sqlite3.Connection) -> Iterator[tuple[int, Range]]:
    """Yield the memory classes that items in `todo` have, from the largest on, each with its range."""
    first, end = raw(CLASSES), raw(BEYOND_CLASSES)
    while (key := connection.execute(LAST, (first, end)).fetchone()[0]) is not None:
        memory_class = class_in(key)
        within = class_bounds(memory_class) if memory_class else (key, f"{key}\0")
        yield memory_class, (raw(within[0]), raw(within[1]))
        end = raw(within[0])

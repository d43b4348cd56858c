"""Ranges of the queue in which a worker finds items, in the order in which it takes them.

Items that only few workers take come first, the largest memory class first, then last attempts. Where there are none,
finding that out costs one step in the index. A key that begins like one with a lane and names none was written by
another program: such an item is for everybody.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator

from pyanamo_async.core.items import State
from pyanamo_async.core.queue_lanes import EVERYBODY, Lane, WorkerKind
from pyanamo_async.core.stored.queue_key import BEYOND_LANES, LANES, lane_bounds, lane_in
from pyanamo_async.store.sqlite.rows import raw

Range = tuple[bytes, bytes]  # from the first key on, and before the second, as stored
NO_END = b"\xff" * 8  # after all texts
WITHIN = "Queue_Key >= CAST(? AS TEXT) AND Queue_Key < CAST(? AS TEXT)"
LAST = f"SELECT max(Queue_Key) FROM items WHERE ItemState = 'todo' AND {WITHIN}"  # noqa: S608 - constants only


def queue_ranges(connection: sqlite3.Connection, state: State, kind: WorkerKind) -> Iterator[Range]:
    """Yield the ranges of a state's queue in which a worker of a kind finds items."""
    if state is not State.TODO:
        yield b"", NO_END
        return
    for lane, found in lane_ranges(connection):
        if kind.takes(lane):
            yield found
    yield b"", raw(LANES)
    yield raw(BEYOND_LANES), NO_END


def lane_ranges(connection: sqlite3.Connection) -> Iterator[tuple[Lane, Range]]:
    """Yield the lanes that items in `todo` have, from the largest memory class on, each with its range."""
    first, end = raw(LANES), raw(BEYOND_LANES)
    while (key := connection.execute(LAST, (first, end)).fetchone()[0]) is not None:
        lane = lane_in(key)
        within = (key, f"{key}\0") if lane == EVERYBODY else lane_bounds(lane)
        yield lane, (raw(within[0]), raw(within[1]))
        end = raw(within[0])

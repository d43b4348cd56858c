"""The queue index: what it shows is what stood there a moment ago.

Each write of a row is shown after a while of its own, though never an older form of a row after a newer one.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import defaultdict
from dataclasses import dataclass
from typing import Any

from benchmarks.fleet.facts import PAGE_BYTES, READ_UNIT_BYTES
from pyanamo_async.core.stored.row_size import stored_bytes
from pyanamo_async.store.dynamodb.codec import unmarshal
from pyanamo_async.store.dynamodb.rows import PROJECTED

Row = dict[str, Any]
Place = tuple[str, str]  # key and item

SHOWN = ("itemID", "Queue", "Queue_Key", *PROJECTED)
MAX_KEY = "\U0010ffff"


@dataclass(frozen=True, slots=True)
class Entry:
    """What the index holds of a row."""

    queue: str
    key: str
    row: Row
    size_bytes: int

    @classmethod
    def of(cls, row: Row | None) -> Entry | None:
        """Choose what the index holds of a row; nothing of one without a place in it."""
        if row is None or "Queue" not in row:
            return None
        shown = {name: row[name] for name in SHOWN if name in row}
        return cls(row["Queue"]["S"], row["Queue_Key"]["S"], shown, row_bytes(shown))


def row_bytes(row: Row) -> int:
    """Count the bytes of a row as DynamoDB does."""
    return sum(len(name.encode()) + stored_bytes(unmarshal(value)) for name, value in row.items())


class QueueIndex:
    """Rows by their queue, sorted by their key."""

    def __init__(self) -> None:
        self._queues: defaultdict[str, list[Place]] = defaultdict(list)
        self._shown: dict[str, tuple[float, Entry | None]] = {}

    def show(self, key: str, version: float, new: Entry | None) -> None:
        """Let the index show a form of a row, unless it shows a newer one already."""
        shown, old = self._shown.get(key, (0, None))
        if version <= shown:
            return
        self._shown[key] = version, new
        if old is not None:
            queue = self._queues[old.queue]
            del queue[bisect_left(queue, (old.key, key))]
        if new is not None:
            insort(self._queues[new.queue], (new.key, key))

    def query(
        self, queue: str, low: Place, high: Place, after: Place | None, limit: int | None, *, forward: bool = True
    ) -> tuple[list[Row], bool, float]:
        """Read a page: its rows, whether more follow, and the read units."""
        places = self._queues[queue]
        begin = bisect_left(places, max(low, (after[0], after[1] + "\0")) if after else low)
        asked = places[begin : bisect_left(places, high)]
        rows: list[Row] = []
        size_bytes = 0
        for place in asked if forward else reversed(asked):
            entry = self._shown[place[1]][1]
            assert entry is not None
            rows.append(entry.row)
            size_bytes += entry.size_bytes
            if size_bytes >= PAGE_BYTES or len(rows) == limit:
                break
        return rows, len(rows) < len(asked), max(1, -(-size_bytes // READ_UNIT_BYTES)) / 2

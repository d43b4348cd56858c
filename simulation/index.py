"""The queue index, which shows each row as it stood a moment ago.

Every write appears after a delay of its own, but never an older form of a row after a newer one. With gaps, the old
entry disappears before the new one appears: for a moment the row stands in none of its queues.
"""

from __future__ import annotations

import random
from bisect import bisect_left, insort
from collections import defaultdict
from dataclasses import dataclass
from typing import Any

from pyanamo_async.core.stored.row_size import stored_bytes
from pyanamo_async.store.dynamodb.codec import unmarshal
from pyanamo_async.store.dynamodb.rows import PROJECTED
from simulation.facts import INDEX_LAG_S, PAGE_BYTES, READ_UNIT_BYTES

Row = dict[str, Any]
Place = tuple[str, str]  # key and item

SHOWN = ("itemID", "Queue", "Queue_Key", *PROJECTED)
RUNNING_WORKERS = "worker#0"  # the queue of workers that have not ended
SLOW_S = 20.0
MAX_KEY = "\U0010ffff"


@dataclass(frozen=True, slots=True)
class IndexLag:
    """How late the index is: exponential around a mean, or anything up to `at_most_s`; a share `slow`, up to 20 s.

    No rule withstands `slow` together with `gaps`: a worker that goes home waits `index_lag` (1 s), and an item that
    stands nowhere for longer, whose worker has died, is left.
    """

    mean_s: float = INDEX_LAG_S
    at_most_s: float = 0.0
    slow: float = 0.0
    gaps: bool = False

    def draw(self, rng: random.Random) -> tuple[float, float]:
        """Choose after how many seconds the old entry is gone and the new one is there."""
        gone_s, there_s = sorted(self._late_s(rng) for _ in range(2)) if self.gaps else [self._late_s(rng)] * 2
        return gone_s, there_s

    def _late_s(self, rng: random.Random) -> float:
        if self.slow and rng.random() < self.slow:
            return SLOW_S * rng.random()
        if self.at_most_s:
            return self.at_most_s * rng.random()
        return rng.expovariate(1 / self.mean_s) if self.mean_s else 0.0


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
        if row is None or not {"Queue", "Queue_Key"} <= row.keys():
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

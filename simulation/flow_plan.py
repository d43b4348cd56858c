"""The plan of a fleet, the limits of its table, the course it took; and the arithmetic that needs no simulation.

Sizes are of small items: a row within 1 KB, an index row within 1 KB (`tests/acceptance/test_cost.py` measures both).
"""

from __future__ import annotations

from dataclasses import dataclass

from simulation.facts import (
    DOUBLING_S,
    LATENCY_S,
    NEW_TABLE_WRITES,
    PARTITION_WRITES,
    TABLE_QUOTA,
    USD_PER_READ,
    USD_PER_WRITE,
)

IMPORT_UNITS = 2.0  # a row and its place in the index
BASE_UNITS = 1.0  # a claim, a settle, a heartbeat, or a claim that was lost: the row
MOVE_UNITS = 2.0  # and its old and its new place in the index
CLAIM_S = 2 * LATENCY_S  # a look and a write: how long a slot waits for its next item


@dataclass(frozen=True, slots=True)
class Plan:
    """How many items, and who works on them."""

    workers: int
    shards: int
    seconds: float  # mean of the items' durations
    items: float = 10e6
    slots: int = 8
    heartbeat_s: float = 20.0


@dataclass(frozen=True, slots=True)
class Limits:
    """What the table takes; DynamoDB's, unless a smaller one is to be compared with."""

    capacity: float = NEW_TABLE_WRITES
    per_partition: float = PARTITION_WRITES
    quota: float = TABLE_QUOTA
    doubling_s: float = DOUBLING_S
    split_s: float = 600.0  # ours: AWS says "after a short period"


def ceilings(plan: Plan, capacity: float = NEW_TABLE_WRITES) -> dict[str, float]:
    """Return how many items a second each limit allows: the slots, the hottest keys, and the index as a whole."""
    heartbeats = plan.workers / plan.heartbeat_s
    return {
        "slots": plan.workers * plan.slots / (plan.seconds + CLAIM_S),
        "shards": plan.shards * PARTITION_WRITES / MOVE_UNITS,  # `locked#s`: an item comes, an item goes
        "table": max(0.0, capacity - MOVE_UNITS * heartbeats) / (2 * MOVE_UNITS),  # a claim and a settle
    }


@dataclass(slots=True)
class Course:
    """How it went."""

    plan: Plan
    seconds: float = 0.0
    done: float = 0.0
    writes: float = 0.0
    reads: float = 0.0
    throttled_s: float = 0.0  # time in which something had to wait
    best: float = 0.0  # items a second, over a minute
    first_half_hour: float = 0.0

    @property
    def rate(self) -> float:
        """Items a second, from the first to the last."""
        return self.done / self.seconds

    @property
    def usd_per_million(self) -> float:
        """Dollars for a million items, import included."""
        return (self.writes * USD_PER_WRITE + self.reads * USD_PER_READ) / self.done * 1e6

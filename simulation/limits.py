"""How much a table and its index take in a second: partitions with a bucket of units each, and a limit over all.

1. A bucket fills by a partition's limit each second, and keeps what was left unused for 300 s.
2. Keys are spread over the partitions of a table by their hash.
3. A write that touches several buckets takes from all of them or from none: an index that is full throttles the table.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable
from dataclasses import dataclass, field

from simulation.facts import BURST_S, NEW_TABLE_WRITES, PARTITION_WRITES

KNUTH = 2654435761  # crc32 of keys that differ in a digit is much alike in its last bits


def spread(key: str) -> int:
    """Hash a key of partition: the same in every model."""
    return zlib.crc32(key.encode()) * KNUTH >> 7


Charge = tuple["Bucket", float]


@dataclass(slots=True)
class Bucket:
    """Units of one partition that may be used."""

    per_second: float
    units: float
    filled_s: float = 0.0

    def left(self, now_s: float) -> float:
        """Return what may be used now."""
        full = self.per_second * BURST_S
        self.units = min(full, self.units + (now_s - self.filled_s) * self.per_second)
        self.filled_s = now_s
        return self.units


@dataclass
class Partitions:
    """The partitions of a table or an index: as many as its first capacity needs, each with no burst saved up yet."""

    capacity: float = NEW_TABLE_WRITES
    per_partition: float = PARTITION_WRITES
    buckets: list[Bucket] = field(init=False)

    def __post_init__(self) -> None:
        count = max(1, round(self.capacity / self.per_partition))
        self.buckets = [Bucket(self.per_partition, self.per_partition) for _ in range(count)]

    def of(self, key: str) -> Bucket:
        """Find the partition of a key."""
        return self.buckets[spread(key) % len(self.buckets)]


def take(charges: Iterable[Charge], now_s: float) -> bool:
    """Take units from all of these buckets; return False, and take none, when one of them has too few.

    As DynamoDB's, a bucket is charged what was used although that is a little more than it held.
    """
    wanted = list(charges)
    if any(bucket.left(now_s) <= 0 for bucket, _ in wanted):
        return False
    for bucket, units in wanted:
        bucket.units -= units
    return True

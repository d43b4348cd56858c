"""What the queue index takes: as a whole, and by partition, as its keys heat them.

A new index has four partitions. It gets more when its traffic has doubled (`flow`), and one that was full for minutes
is split between its keys ("split for heat": throttling-key-range-limit-exceeded-mitigation.html). A single key is never
split here, although DynamoDB may do that by the range key: what comes out is the careful figure. Partitions are leaves
of a tree, each with a bucket of write units.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

from simulation.facts import BURST_S
from simulation.flow_plan import Limits
from simulation.limits import spread


@dataclass(slots=True)
class Meter:
    """What a table or index took, and what it takes: twice the best minute that is half an hour old."""

    limits: Limits
    capacity: float = field(init=False)
    units: float = field(init=False)
    _minute: float = 0.0
    _since_s: float = 0.0
    _peaks: deque[tuple[float, float]] = field(default_factory=deque)

    def __post_init__(self) -> None:
        self.capacity = self.units = self.limits.capacity

    def fill(self, now_s: float, seconds: float) -> None:
        """Let time pass."""
        if now_s - self._since_s >= 60:
            self._peaks.append((now_s, self._minute / (now_s - self._since_s)))
            self._minute, self._since_s = 0.0, now_s
        while self._peaks and self._peaks[0][0] <= now_s - self.limits.doubling_s:
            grown = min(self.limits.quota, 2 * self._peaks.popleft()[1])
            self.capacity = max(self.capacity, grown)
        self.units = min(self.capacity * 300, self.units + self.capacity * seconds) if seconds else self.units

    def take(self, units: float) -> None:
        """Use units."""
        self.units -= units
        self._minute += units


@dataclass(slots=True)
class Leaf:
    """One partition: keys whose hash ends in `bits`."""

    depth: int
    bits: int
    units: float
    wanted: float = 0.0
    share: float = 1.0
    hot_s: float = 0.0


class Tree:
    """Partitions of these keys, each of which takes `per_second` units and saves up what was left for 300 s."""

    def __init__(self, keys: Sequence[str], *, partitions: int, per_second: float) -> None:
        self._hashes = [spread(key) for key in keys]
        self._per_second = per_second
        depth = (partitions - 1).bit_length()
        self._leaves = [Leaf(depth, bits, per_second) for bits in range(1 << depth)]
        self._place()

    def grow(self, partitions: int) -> None:
        """Split until there are so many at least."""
        while len(self._leaves) < partitions:
            least = min(leaf.depth for leaf in self._leaves)
            for leaf in [leaf for leaf in self._leaves if leaf.depth == least]:
                self._split(leaf)
        self._place()

    def fill(self, seconds: float, *, split_s: float) -> None:
        """Let time pass: partitions that were full for so long are split, buckets fill, and nothing is wanted yet."""
        hot = [leaf for leaf in self._leaves if leaf.hot_s >= split_s and self._keys_of(leaf) > 1]
        for leaf in hot:
            self._split(leaf)
        if hot:
            self._place()
        full = self._per_second * BURST_S
        for leaf in self._leaves:
            leaf.units = min(full, leaf.units + seconds * self._per_second)
            leaf.wanted = 0.0

    def ration(self, seconds: float) -> None:
        """Choose what share of what is wanted each partition takes."""
        for leaf in self._leaves:
            leaf.share = min(1.0, leaf.units / leaf.wanted) if leaf.wanted > 0 else 1.0
            leaf.hot_s = leaf.hot_s + seconds if leaf.share < 1 else 0.0

    def _split(self, leaf: Leaf) -> None:
        self._leaves.remove(leaf)
        depth = leaf.depth + 1
        for bits in (leaf.bits, leaf.bits | 1 << leaf.depth):
            self._leaves.append(Leaf(depth, bits, leaf.units / 2))

    def _keys_of(self, leaf: Leaf) -> int:
        return sum(each is leaf for each in self.of)

    def _place(self) -> None:
        by_bits = {(leaf.depth, leaf.bits): leaf for leaf in self._leaves}
        depths = sorted({leaf.depth for leaf in self._leaves})
        self.of = [
            next(leaf for depth in depths if (leaf := by_bits.get((depth, number & (1 << depth) - 1))))
            for number in self._hashes
        ]

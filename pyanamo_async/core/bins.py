"""Count numbers in bins, in memory that does not grow with how many there are.

1. Every number that was added is in exactly one bin: the bins of a kind add up to how many were added.
2. Bins over time become twice as wide when there would be too many; those of a histogram have fixed bounds.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator

MOST_TIMES = 400
PER_DECADE = 10
SMALLEST, LARGEST = -3, 15  # powers of ten; what is beyond is in the outermost bin
PERCENT_WIDTH = 5
MOST_PERCENT = 6_400  # of one CPU


class TimeBins:
    """How often each kind of event happened, over time in seconds."""

    def __init__(self, most: int = MOST_TIMES) -> None:
        self.width = 1.0
        self._most = most
        self._bins: dict[int, Counter[str]] = defaultdict(Counter)
        self._first = self._last = 0

    def add(self, at: float, kind: str) -> None:
        """Count an event."""
        number = math.floor(at / self.width)
        self._first, self._last = (
            (min(self._first, number), max(self._last, number)) if self._bins else (number, number)
        )
        self._bins[number][kind] += 1
        while self._last - self._first >= self._most:
            self._widen()

    def __iter__(self) -> Iterator[tuple[float, Counter[str]]]:
        """Yield when each bin begins, and what is in it, without gaps."""
        for number in range(self._first, self._last + 1) if self._bins else ():
            yield number * self.width, self._bins.get(number, Counter())

    def _widen(self) -> None:
        narrow, self._bins = self._bins, defaultdict(Counter)
        for number, counts in narrow.items():
            self._bins[number // 2].update(counts)
        self.width, self._first, self._last = self.width * 2, self._first // 2, self._last // 2


class Histogram:
    """How many numbers lie between bounds; `bound` returns the lower one of each bin."""

    def __init__(self, number_of: Callable[[float], int], bound: Callable[[int], float]) -> None:
        self.total = 0
        self._number_of, self._bound = number_of, bound
        self._bins: Counter[int] = Counter()

    def add(self, value: float) -> None:
        """Count a number."""
        self._bins[self._number_of(value)] += 1
        self.total += 1

    def __iter__(self) -> Iterator[tuple[float, float, int]]:
        """Yield the bounds of each bin that holds numbers, and how many."""
        for number, count in sorted(self._bins.items()):
            yield self._bound(number), self._bound(number + 1), count

    def quantile(self, share: float) -> float | None:
        """Return the upper bound of the bin in which a share of all numbers is reached; None if there are none."""
        seen = 0
        for _, upper, count in self:
            seen += count
            if seen >= share * self.total:
                return upper
        return None


def by_magnitude(per_decade: int = PER_DECADE) -> Histogram:
    """Return a histogram with so many bins for each power of ten."""
    least, most = SMALLEST * per_decade, LARGEST * per_decade

    def number_of(value: float) -> int:
        return least if value <= 10**SMALLEST else min(most, math.floor(math.log10(value) * per_decade))

    return Histogram(number_of, lambda number: 10 ** (number / per_decade))


def by_percent() -> Histogram:
    """Return a histogram of percentages."""
    return Histogram(
        lambda value: int(max(0.0, min(value, MOST_PERCENT)) // PERCENT_WIDTH), lambda number: number * PERCENT_WIDTH
    )

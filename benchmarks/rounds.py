"""Let contenders take turns, and compare them round by round.

A machine that others use drifts: what is measured minutes apart cannot be compared. So everybody runs once in each
round, every second round in reverse, a ratio is taken within a round, and what is reported is the median of the rounds.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar


@dataclass(frozen=True, slots=True)
class Lap:
    """What one run of so many scripts took; CPU and memory are the worker's own, where they can be told."""

    scripts: int
    seconds: float
    cpu_seconds: float = 0.0
    peak_rss_bytes: int = 0

    @property
    def rate(self) -> float:
        """Scripts per second."""
        return self.scripts / self.seconds


class Named(Protocol):
    """What takes part in rounds."""

    @property
    def name(self) -> str:
        """What it is called in tables."""
        ...


class Contender(Named, Protocol):
    """One way to run scripts."""

    def lap(self, script: str, scripts: int) -> Lap:
        """Run a script so many times; raises `Failed` unless every one of them ran."""
        ...


N = TypeVar("N", bound=Named)


def interleaved(
    contenders: Sequence[N], rounds: int, lap: Callable[[N], Lap], *, say: Callable[[str], None] = print
) -> dict[str, list[Lap]]:
    """Let each run once in every round; returns the laps of each, in the order of the rounds."""
    laps: dict[str, list[Lap]] = {each.name: [] for each in contenders}
    for number in range(rounds):
        for each in reversed(contenders) if number % 2 else contenders:
            laps[each.name].append(took := lap(each))
            say(f"round {number + 1}: {each.name}: {took.scripts} scripts in {took.seconds:.2f} s, {took.rate:.0f}/s")
    return laps


def median(laps: Sequence[Lap], of: Callable[[Lap], float]) -> float:
    """Take the median of a figure."""
    return statistics.median(map(of, laps))


def faster(laps: Sequence[Lap], than: Sequence[Lap]) -> float:
    """Tell how many times as fast, by the median of the ratios within each round."""
    return statistics.median(mine.rate / theirs.rate for mine, theirs in zip(laps, than, strict=True))

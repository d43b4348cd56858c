"""How fast items are settled, and how long the rest takes.

1. The pace of the last minutes counts if it rests on enough items; else that of the last hour, else that of the workers
   since their start. Of too few each, the one that rests on most.
2. Items settle at random times: of `n` that were counted, the true number lies within the square root of n, plus and
   minus one, squared, in 19 of 20 cases (Anscombe's transform of a Poisson count). The range of the time left is that
   of the pace, and no promise: items that take longer than those before make it wrong.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from math import sqrt

from pyanamo_async.core.values import Value

RECENT, LONG = timedelta(minutes=5), timedelta(hours=1)
ENOUGH = 10  # items that a pace should rest on
LONGEST = timedelta(days=3650)


class Pace(Value):
    """How many items were settled, or tasks ended, in a span of time."""

    settled: int
    span: timedelta

    @property
    def per_second(self) -> float:
        """Return the mean rate; zero of no time at all."""
        seconds = self.span.total_seconds()
        return self.settled / seconds if seconds > 0 else 0.0


class TimeLeft(Value):
    """How long the rest takes: what is likely, and the range in which it lies in 19 of 20 cases.

    `most` is None when it rests on so few items that there is no end to it.
    """

    likely: timedelta
    least: timedelta
    most: timedelta | None

    def at_least(self, wait: timedelta) -> TimeLeft:
        """Return it for a rest of which some has to wait so long."""
        return TimeLeft(max(self.likely, wait), max(self.least, wait), self.most and max(self.most, wait))


def best_pace(paces: Iterable[Pace]) -> Pace | None:
    """Return the first pace that rests on enough items, or else on most; None when none rests on any."""
    known = [pace for pace in paces if pace.settled and pace.per_second]
    return next((pace for pace in known if pace.settled >= ENOUGH), max(known, key=_settled, default=None))


def time_left(left: int, pace: Pace | None) -> TimeLeft | None:
    """Return how long so many take at this pace; None when nothing is left, or the pace is unknown."""
    if not left or pace is None:
        return None
    root = sqrt(pace.settled + 3 / 8)
    times = [_time(left, number / pace.settled * pace.per_second) for number in ((root + 1) ** 2, (root - 1) ** 2)]
    likely = _time(left, pace.per_second)
    return TimeLeft(likely, min(times[0], likely), times[1] if times[1] < LONGEST else None)


def _time(left: int, per_second: float) -> timedelta:
    seconds = left / per_second if per_second else LONGEST.total_seconds()
    return timedelta(seconds=min(seconds, LONGEST.total_seconds()))


def _settled(pace: Pace) -> int:
    return pace.settled

"""How fast it goes, and how long the rest takes."""

from __future__ import annotations

import random
from datetime import timedelta

from pyanamo_async.core.pace import Pace, best_pace, time_left

MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)


def test_the_first_pace_that_rests_on_enough_counts() -> None:
    """What is latest is best, unless it is luck."""
    recent, hour = Pace(12, 5 * MINUTE), Pace(800, HOUR)

    assert best_pace([recent, hour]) is recent
    assert best_pace([Pace(9, 5 * MINUTE), hour]) is hour
    assert best_pace([Pace(2, MINUTE), Pace(3, HOUR), Pace(1, HOUR)]) == Pace(3, HOUR)
    assert best_pace([Pace(0, MINUTE), Pace(5, timedelta())]) is None


def test_time_left_has_a_range_that_narrows() -> None:
    """Around what is likely; of a single item there is nearly no upper end."""
    few, many = time_left(100, Pace(10, MINUTE)), time_left(100, Pace(1000, 100 * MINUTE))

    assert few
    assert many
    assert few.most
    assert many.most
    assert few.likely == many.likely == 10 * MINUTE
    assert few.least < many.least < many.likely < many.most < few.most
    assert time_left(10**9, Pace(1, MINUTE)).most is None  # type: ignore[union-attr]


def test_nothing_is_said_without_a_pace_or_with_nothing_left() -> None:
    """No estimate is better than a wrong one."""
    assert time_left(5, None) is None
    assert time_left(0, Pace(10, MINUTE)) is None


def test_the_range_holds_in_nineteen_of_twenty_cases() -> None:
    """Of items that settle at random times at a known pace."""
    rng, right, trials = random.Random(1), 0, 2000
    for _ in range(trials):
        seconds, settled = 0.0, 0
        while (seconds := seconds + rng.expovariate(0.5)) < 60:
            settled += 1
        left = time_left(120, Pace(settled, MINUTE))
        right += (
            left is not None
            and left.most is not None
            and left.least.total_seconds() <= 240 <= left.most.total_seconds()
        )

    assert 0.93 <= right / trials <= 0.99

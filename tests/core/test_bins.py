"""Bins hold every number that was added, in bounded memory."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyanamo_async.core.bins import Histogram, TimeBins, by_magnitude, by_percent
from pyanamo_async.core.timeline_lanes import TimelineLanes

TIMES = st.lists(st.floats(0, 4e9), min_size=1, max_size=50)


@given(TIMES)
def test_bins_over_time_lose_nothing_and_stay_few(times: list[float]) -> None:
    """However far apart events are: each is in the bin whose time it has."""
    bins = TimeBins(most=20)
    for at in times:
        bins.add(at, "x")
    found = [*bins]

    assert sum(counts["x"] for _, counts in found) == len(times)
    assert len(found) <= 20
    for begin, counts in found:
        assert counts["x"] == sum(begin <= at < begin + bins.width for at in times)


@pytest.mark.parametrize("make", [by_magnitude, by_percent])
@given(values=st.lists(st.floats(-1, 1e18), max_size=30))
def test_histograms_lose_nothing(make: type[Histogram], values: list[float]) -> None:
    """The smallest and the largest are in the outermost bins."""
    histogram = make()  # type: ignore[call-arg]
    for value in values:
        histogram.add(value)

    assert sum(count for _, _, count in histogram) == histogram.total == len(values)
    assert (histogram.quantile(0.5) is None) == (not values)


def test_rounded_times_take_no_other_lane() -> None:
    """A task that began as another ended, but for a millisecond of rounding, has the same slot."""
    lanes = TimelineLanes()

    assert [lanes.place(29.553, 29.553 + 2.192), lanes.place(31.744, 33.992), lanes.place(33.0, 34.0)] == [0, 0, 1]


@given(st.lists(st.tuples(st.integers(0, 50), st.integers(1, 20)), max_size=40))
def test_attempts_on_a_lane_follow_each_other(attempts: list[tuple[int, int]]) -> None:
    """No two of a lane overlap, and there are as many lanes as ran at once."""
    lanes, ends = TimelineLanes(), dict[int, int]()
    for started, took in sorted(attempts):
        lane = lanes.place(started, started + took)

        assert ends.get(lane, 0) <= started
        ends[lane] = started + took
    at_once = [sum(one <= at < one + took for one, took in attempts) for at in range(71)]
    assert lanes.count == max(at_once)

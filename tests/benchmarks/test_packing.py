"""Packing keeps the budget: the smaller version of `python -m benchmarks.packing`."""

from __future__ import annotations

from benchmarks.course import Course
from benchmarks.packing import Load, Worker

SMALL = Load(tasks=40, small=40, large=300, budget=600, shortest_s=0.2)


def test_what_is_packed_stays_within_the_budget_and_nothing_is_ended_for_it() -> None:
    """Looked at from outside, as the sum of what all scripts have."""
    packed = Worker("packed", Course(), SMALL, ("-i", "40", "--memory", f"{SMALL.budget}M"))

    lap = packed.lap()

    assert lap.scripts == SMALL.tasks
    assert not packed.exceeds
    assert packed.interruptions == 0
    assert packed.most_bytes > SMALL.large << 20  # something was seen

"""A few hundred schedules of the fleet in a box; `make chaos` runs ten thousand."""

from __future__ import annotations

import pytest

from pyanamo_async.worker import beats
from tests.stress.simulation import Broken, simulate

SCHEDULES = 200
BLOCK = 20


@pytest.mark.parametrize("first", range(0, SCHEDULES, BLOCK))
def test_nothing_is_lost_and_nothing_settled_twice(first: int) -> None:
    """Whatever the weather, every item is settled in the end, once, and no two attempts at it overlap."""
    for seed in range(first, first + BLOCK):
        ended = simulate(seed)
        assert set(ended) <= {"done", "failed"}, f"replay with: python -m tests.stress.simulation {seed}"


def test_the_simulation_notices_a_worker_that_fences_itself_too_late(monkeypatch: pytest.MonkeyPatch) -> None:
    """The laws can be broken: with a fence after the lease, attempts overlap."""
    monkeypatch.setattr(beats, "SHARE_OF_LEASE", 1.5)

    with pytest.raises(Broken, match="runs under attempt"):
        _simulate_all(range(100))


def _simulate_all(seeds: range) -> None:
    for seed in seeds:
        simulate(seed)

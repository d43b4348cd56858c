"""A few hundred schedules of the fleet in a box; `make chaos` runs ten thousand."""

from __future__ import annotations

import pytest

from pyanamo_async.store import memory
from pyanamo_async.worker import heartbeats
from tests.stress.blocks import run_block
from tests.stress.simulation import simulate
from tests.stress.witness import Broken

SCHEDULES = 200
BLOCK = 20


@pytest.mark.parametrize("first", range(0, SCHEDULES, BLOCK))
def test_nothing_is_lost_and_nothing_settled_twice(first: int) -> None:
    """Whatever happens to workers and network, every law of the witness holds, and every item is done or failed."""
    ended, broken = run_block(range(first, first + BLOCK))

    assert broken == {}, f"replay with: python -m tests.stress.simulation {min(broken)}"
    assert ended.keys() <= {"done", "failed", "stranded"}


def test_a_schedule_can_be_replayed() -> None:
    """The same number is the same schedule, to the last random number."""
    assert simulate(11) == simulate(11)


def test_the_simulation_notices_a_worker_that_fences_itself_too_late(monkeypatch: pytest.MonkeyPatch) -> None:
    """The laws can be broken: with a fence long after others call a worker dead, attempts overlap."""
    monkeypatch.setattr(heartbeats, "SHARE_OF_LEASE", 3.0)

    with pytest.raises(Broken, match="runs under attempts"):
        _simulate_all(range(100))


def test_the_simulation_notices_a_store_without_a_fence(monkeypatch: pytest.MonkeyPatch) -> None:
    """The laws can be broken: where anybody may write, attempts overlap or are settled twice."""
    monkeypatch.setattr(memory, "_fence", lambda _: None)

    with pytest.raises(Broken, match=r"runs under attempts|settled twice"):
        _simulate_all(range(100))


def test_the_simulation_notices_a_fence_without_the_number_of_the_attempt(monkeypatch: pytest.MonkeyPatch) -> None:
    """The laws can be broken: where whoever claimed an item once may write, it is settled twice."""
    monkeypatch.setattr(memory, "_fence", lambda item: item.state)

    with pytest.raises(Broken, match=r"settled twice|runs under attempts|believes"):
        _simulate_all(range(100))


def _simulate_all(seeds: range) -> None:
    for seed in seeds:
        simulate(seed)

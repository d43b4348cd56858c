"""A worker that learns what its tasks need, beside fixed numbers, on loads of all kinds."""

from __future__ import annotations

import pytest

from simulation.packing import BUDGET, MIXES, OVER, SLOTS, TASKS, best_fixed, packed

FASTER_THAN_A_LOOK = "large ones in a row"  # ten that grow at once add half of the budget between two looks
AT_MOST = {"one large in a hundred": 1.4, "half and half": 1.3}  # times as long as the best fixed number
FEW_PUT_BACK = ("one large in twenty", "one large in a hundred", "all small")


@pytest.mark.parametrize("mix", sorted({*MIXES} - {FASTER_THAN_A_LOOK}))
def test_a_worker_that_learns_keeps_its_budget(mix: str) -> None:
    """Nor does it take much longer than the best fixed number, which is only known afterwards."""
    best = best_fixed(mix, 0, among=(4, 16, 40) if mix != "a heavy tail" else (2, 4))

    learned = packed(mix, 0)

    assert learned.most_used <= OVER
    assert learned.seconds <= AT_MOST.get(mix, 1.15) * best.seconds
    assert mix not in FEW_PUT_BACK or learned.put_back <= TASKS / 20


def test_what_grows_faster_than_is_looked_is_caught_up_with() -> None:
    """Each large one is put back at most a few times, and all are done."""
    learned = packed(FASTER_THAN_A_LOOK, 0)

    assert learned.put_back <= TASKS / 10


def test_tasks_that_are_all_equal_fill_the_budget() -> None:
    """As they did when each was counted by itself."""
    assert packed("all small", 0).most_used == SLOTS * 80 / BUDGET

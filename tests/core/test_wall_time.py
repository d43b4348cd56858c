"""The wall-time budget: what starts, and when what runs is ended."""

from __future__ import annotations

import pytest

from pyanamo_async.core.wall_time import WallTimeBudget, reserve_s


def test_without_budget_everything_fits() -> None:
    """Without a wall time any task starts."""
    assert WallTimeBudget().fits(1e9)


def test_tasks_start_only_if_they_are_expected_to_fit() -> None:
    """The running average decides, as soon as a task has ended."""
    budget = WallTimeBudget(budget_s=7, reserve_s=0.7)

    assert budget.fits(6)
    budget.observe(2)
    assert budget.fits(4)
    assert not budget.fits(4.5)


def test_durations_that_vary_need_more_time() -> None:
    """The expected duration is the average and one standard deviation."""
    budget = WallTimeBudget(budget_s=10)
    for seconds in (1, 3):
        budget.observe(seconds)

    assert budget.expected_s == pytest.approx(3)


def test_min_remaining_holds_before_any_task_has_ended() -> None:
    """No task starts with less than `min_remaining_s` left."""
    assert not WallTimeBudget(budget_s=10, min_remaining_s=5).fits(6)


@pytest.mark.parametrize(("budget_s", "reserve"), [(None, 0), (7, 0.7), (3600, 10)])
def test_reserve_is_a_tenth_of_short_budgets(budget_s: float | None, reserve: float) -> None:
    """Long budgets reserve enough for TERM, KILL and settling, short ones a tenth."""
    assert reserve_s(budget_s, kill_after_s=5) == pytest.approx(reserve)

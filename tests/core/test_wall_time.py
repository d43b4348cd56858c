"""The time keeper."""

from __future__ import annotations

import pytest

from pyanamo_async.core.wall_time import WallTimeBudget, reserve_s


def test_without_budget_everything_fits() -> None:
    """No wall time, no limit."""
    assert WallTimeBudget().fits(1e9)


def test_what_is_not_expected_to_fit_is_not_started() -> None:
    """The running average decides, once there is one."""
    keeper = WallTimeBudget(budget_s=7, reserve_s=0.7)

    assert keeper.fits(6)
    keeper.observe(2)
    assert keeper.fits(4)
    assert not keeper.fits(4.5)


def test_scatter_asks_for_more_room() -> None:
    """Durations that scatter need a standard deviation more than their average."""
    keeper = WallTimeBudget(budget_s=10)
    for seconds in (1, 3):
        keeper.observe(seconds)

    assert keeper.expected_s == pytest.approx(3)


def test_floor_holds_before_anything_is_known() -> None:
    """`--min-remaining` is the least that must be left."""
    assert not WallTimeBudget(budget_s=10, min_remaining_s=5).fits(6)


@pytest.mark.parametrize(("budget", "reserve"), [(None, 0), (7, 0.7), (3600, 10)])
def test_reserve_is_a_tenth_of_short_budgets(budget: float | None, reserve: float) -> None:
    """Long budgets keep enough for TERM, KILL and settling; short ones a tenth."""
    assert reserve_s(budget, kill_after_s=5) == pytest.approx(reserve)

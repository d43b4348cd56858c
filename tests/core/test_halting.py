"""When too much fails: for one worker, and for all."""

from __future__ import annotations

from datetime import timedelta

import pytest

from pyanamo_async.core.failure_policy import FailurePolicy, parse_on_exit
from pyanamo_async.core.halting import FailedLimit, FailureStreak, is_halted, parse_failed_limit, streak_reason
from pyanamo_async.core.outcomes import Failed, Interrupted, InterruptReason, Outcome, Succeeded, TimedOut
from pyanamo_async.errors import UsageError

POLICY = FailurePolicy(on_exit=parse_on_exit("75=retry,2=fail"))
OUTCOMES: dict[str, Outcome] = {
    "s": Succeeded(),
    "f": Failed(exit_code=1),
    "g": Failed(exit_code=2),
    "k": Failed(signal=9),
    "t": TimedOut(timedelta(seconds=1)),
    "r": Failed(exit_code=75),
    "i": Interrupted(InterruptReason.STOP),
}


@pytest.mark.parametrize(
    ("ended", "limit", "reached"),
    [
        ("fff", 3, True),
        ("fkt", 3, True),
        ("fgf", 3, True),
        ("fsff", 3, False),
        ("ffsfff", 3, True),
        ("ffff", None, False),
        ("frirfi", 3, False),
        ("frirfif", 3, True),
        ("fffsss", 3, True),
        ("f", 1, True),
        ("", 1, False),
    ],
)
def test_so_many_failures_in_a_row_and_no_success_halt(ended: str, limit: int | None, reached: bool) -> None:
    """Interruptions, and what a rule lets be tried again, count neither way; what comes later changes nothing."""
    streak = FailureStreak(limit)
    for each in ended:
        streak.observe(OUTCOMES[each], policy=POLICY)

    assert streak.reached is reached


@pytest.mark.parametrize(
    ("text", "limit", "total", "least"),
    [
        ("100", FailedLimit(items=100), 5, 100),
        ("5%", FailedLimit(percent=5.0), 1000, 50),
        ("5 %", FailedLimit(percent=5.0), 1001, 51),
        ("0.1%", FailedLimit(percent=0.1), 1000, 1),
        ("0.1%", FailedLimit(percent=0.1), 10, 1),
        ("100%", FailedLimit(percent=100.0), 3, 3),
        ("5%", FailedLimit(percent=5.0), 0, 1),
    ],
)
def test_a_limit_of_failed_items_is_a_number_or_a_share(text: str, limit: FailedLimit, total: int, least: int) -> None:
    """Nothing failed is never too much."""
    assert parse_failed_limit(text) == limit
    assert limit.least(total) == least


@pytest.mark.parametrize("text", ["", "0", "-1", "0%", "101%", "5%%", "many", "1e3", "٣", "1_000", " 5"])
def test_what_is_no_limit_is_refused(text: str) -> None:
    """With a hint."""
    with pytest.raises(UsageError, match="no limit"):
        parse_failed_limit(text)


def test_a_reason_names_the_last_failure_and_fits_into_a_row() -> None:
    """However long an id is."""
    assert (
        streak_reason(20, "a", "exit status 127") == "halted after 20 failures in a row, the last: a: exit status 127"
    )
    assert len(streak_reason(20, "x" * 2000, "exit status 127")) <= 160
    assert is_halted(streak_reason(1, "a", ""))
    assert not is_halted("SIGTERM")

"""Backoff and rules by exit status."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyanamo_async.core.failure_policy import FailurePolicy, Verdict, parse_on_exit
from pyanamo_async.errors import UsageError


@given(st.integers(0, 10_000), st.floats(0, 1, exclude_max=True))
def test_delay_is_within_its_round_and_the_cap(endings: int, jitter: float) -> None:
    """Full jitter: between nothing and the round's cap, which doubles up to the longest backoff."""
    policy = FailurePolicy()

    assert (
        timedelta()
        <= policy.delay(endings, jitter)
        <= min(policy.backoff_max, timedelta(seconds=2 ** min(endings, 20)))
    )


def test_delay_doubles() -> None:
    """Each round may wait twice as long as the one before."""
    assert [FailurePolicy().delay(n, 0.5).total_seconds() for n in range(4)] == [0.5, 1, 2, 4]


def test_rules_are_read() -> None:
    """Exit statuses, signals by name, and timeouts have rules."""
    assert parse_on_exit("75=retry, 2=fail,SIGKILL=retry,timeout=fail") == (
        (75, Verdict.RETRY),
        (2, Verdict.FAIL),
        (137, Verdict.RETRY),
        ("timeout", Verdict.FAIL),
    )


@pytest.mark.parametrize("text", ["75", "75=again", "x=fail", "256=fail", "-1=fail", "=fail"])
def test_rules_that_mean_nothing_are_refused(text: str) -> None:
    """A rule that cannot be meant is an error that quotes it."""
    with pytest.raises(UsageError, match=text):
        parse_on_exit(text)


def test_the_last_chance_is_the_one_before_the_crash_limit() -> None:
    """A limit of one leaves none: nothing that never crashed is suspected."""
    assert [crashes for crashes in range(6) if FailurePolicy(crash_limit=5).is_last_chance(crashes)] == [4]
    assert [crashes for crashes in range(6) if FailurePolicy(crash_limit=1).is_last_chance(crashes)] == []

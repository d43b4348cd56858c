"""Backoff, and rules by exit status."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyanamo_async.core.failure_policy import FailurePolicy, Verdict, parse_on_exit
from pyanamo_async.errors import UsageError


@given(st.integers(0, 10_000), st.floats(0, 1, exclude_max=True))
def test_delay_is_within_its_cap(attempts: int, jitter: float) -> None:
    """The delay is between zero and a cap that doubles with each attempt, up to `backoff_max`."""
    policy = FailurePolicy()

    assert (
        timedelta()
        <= policy.delay(attempts, jitter)
        <= min(policy.backoff_max, timedelta(seconds=2 ** min(attempts, 20)))
    )


def test_delay_doubles() -> None:
    """Each delay may be twice as long as the one before."""
    assert [FailurePolicy().delay(n, 0.5).total_seconds() for n in range(4)] == [0.5, 1, 2, 4]


def test_rules_are_parsed() -> None:
    """Exit statuses, signals by name, and timeouts can have rules."""
    assert parse_on_exit("75=retry, 2=fail,SIGKILL=retry,timeout=fail") == (
        (75, Verdict.RETRY),
        (2, Verdict.FAIL),
        (137, Verdict.RETRY),
        ("timeout", Verdict.FAIL),
    )


@pytest.mark.parametrize(
    "text", ["75", "75=again", "x=fail", "256=fail", "-1=fail", "=fail", "0=fail", "\N{SUPERSCRIPT TWO}=fail"]
)
def test_invalid_rules_are_refused(text: str) -> None:
    """A rule that could never apply is invalid usage; the error names the argument and quotes the rule."""
    with pytest.raises(UsageError, match=f"^`on_exit` '{text}'"):
        parse_on_exit(text)


@pytest.mark.parametrize("text", ["(", "*", "a{99999999999999999999}"])
def test_a_pattern_of_tags_that_is_none_is_refused(text: str) -> None:
    """Before anything runs."""
    with pytest.raises(UsageError, match=r"^`fail_on_tag` .* is no regular expression"):
        FailurePolicy(fail_on_tag=text)


def test_the_last_chance_is_the_one_before_the_crash_limit() -> None:
    """With a limit of one there is no last chance: an item that never crashed need not run alone."""
    assert [crashes for crashes in range(6) if FailurePolicy(crash_limit=5).is_last_chance(crashes)] == [4]
    assert [crashes for crashes in range(6) if FailurePolicy(crash_limit=1).is_last_chance(crashes)] == []

"""Durations as people type and read them."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyanamo_async.core.text.durations import parse_duration, show_duration


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90", 90), ("90m", 5400), ("48h", 172800), ("1h30m", 5400), ("1d2h3m4s", 93784), ("500ms", 0.5), ("1.5", 1.5)],
)
def test_numbers_are_seconds_and_units_count(text: str, seconds: float) -> None:
    """`90` is seconds; units go from large to small."""
    assert timedelta(seconds=seconds) == parse_duration(text)
    assert timedelta(seconds=seconds) == parse_duration(f" {text.upper()} ")


@pytest.mark.parametrize(
    "text", ["", "soon", "-1", "1h 30m", "30m1h", "1h1h", "1x", "m", "1e3", "inf", "nan", "99999d"]
)
def test_what_is_no_duration_is_refused(text: str) -> None:
    """Whatever else is written is told back."""
    with pytest.raises(ValueError, match=r"duration|ten years"):
        parse_duration(text)


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (0, "0s"),
        (0.04, "0s"),
        (2.5, "2.5s"),
        (59.96, "1m"),
        (90, "1m30s"),
        (3600, "1h"),
        (5400, "1h30m"),
        (90061, "1d1h"),
    ],
)
def test_two_units_are_shown(seconds: float, shown: str) -> None:
    """Nobody reads more than two."""
    assert shown == show_duration(timedelta(seconds=seconds))


@given(st.integers(min_value=0, max_value=10**8))
def test_what_is_shown_can_be_read(seconds: int) -> None:
    """And is not more than the third unit off."""
    span = timedelta(seconds=seconds)
    back = parse_duration(show_duration(span))

    assert back <= span
    assert span - back <= span / 23

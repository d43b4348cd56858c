"""Durations as people type and read them."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyanamo_async.core.text.durations import parse_duration, show_cpu_hours, show_duration


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90", 90), ("90m", 5400), ("48h", 172800), ("1h30m", 5400), ("1d2h3m4s", 93784), ("500ms", 0.5), ("1.5", 1.5)],
)
def test_numbers_are_seconds_and_units_add_up(text: str, seconds: float) -> None:
    """A plain number is in seconds; units go from large to small, in any case."""
    assert timedelta(seconds=seconds) == parse_duration(text)
    assert timedelta(seconds=seconds) == parse_duration(f" {text.upper()} ")


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("00:10:00", 600),
        ("48:00:00", 172800),
        ("2-00:00", 172800),
        ("2-00", 172800),
        ("1-02:03:04", 93784),
        ("10:30", 630),
        ("120:00", 7200),
    ],
)
def test_times_of_slurm_are_durations(text: str, seconds: int) -> None:
    """As `sbatch --time` reads them."""
    assert timedelta(seconds=seconds) == parse_duration(text)


@pytest.mark.parametrize(
    "text",
    [
        "1:2:3:4",
        "1-",
        "-1:00",
        "1-2-3",
        ":10",
        "10:",
        "1.5:00",
        "9999-00:00",
        "",
        "soon",
        "-1",
        "1h 30m",
        "30m1h",
        "1h1h",
        "1x",
        "m",
        "1e3",
        "inf",
        "nan",
        "99999d",
        "9" * 400,
    ],
)
def test_text_that_is_not_a_duration_is_refused(text: str) -> None:
    """The error says whether the text is no duration or too long a one."""
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
    """A duration is shown in its two largest units."""
    assert shown == show_duration(timedelta(seconds=seconds))


@given(st.integers(min_value=0, max_value=10**8))
def test_what_is_shown_can_be_read(seconds: int) -> None:
    """A shown duration parses again, and loses at most what its third unit would hold."""
    span = timedelta(seconds=seconds)
    back = parse_duration(show_duration(span))

    assert back <= span
    assert span - back <= span / 23


def test_cpu_hours_are_told_from_a_second_on() -> None:
    """To a tenth of an hour, and of less than an hour to two digits."""
    shown = [show_cpu_hours(seconds) for seconds in (0, 0.9, 36, 3600 * 12.84, 3600 * 12_000)]

    assert shown == ["", "", "0.01 CPU hours", "12.8 CPU hours", "12,000.0 CPU hours"]

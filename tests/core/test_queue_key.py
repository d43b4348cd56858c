"""Times in queue keys."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyanamo_async.core.stored.queue_key import format_time, parse_time

ZONES = st.integers(-1439, 1439).map(lambda minutes: timezone(timedelta(minutes=minutes)))
TIMES = st.datetimes(datetime(1970, 1, 2), datetime(9998, 12, 30), timezones=st.just(UTC) | ZONES)  # noqa: DTZ001


def to_the_millisecond(at: datetime) -> datetime:
    return at.replace(microsecond=at.microsecond // 1000 * 1000)


@given(TIMES, TIMES)
def test_order_as_text_is_order_in_time(one: datetime, other: datetime) -> None:
    """Times of any zone have the same length and sort as they follow each other, to the millisecond."""
    earlier, later = sorted((one, other))

    assert len(format_time(one)) == len(format_time(other)) == len("2026-01-01T12:00:00.000Z")
    assert format_time(earlier) <= format_time(later)
    assert (format_time(one) == format_time(other)) == (to_the_millisecond(one) == to_the_millisecond(other))


@given(TIMES)
def test_a_time_reads_back_as_written(at: datetime) -> None:
    """`parse_time` returns what `format_time` wrote, in UTC; only microseconds are lost."""
    assert parse_time(format_time(at)) == to_the_millisecond(at)
    assert parse_time(format_time(at)).tzinfo is UTC


@pytest.mark.parametrize(("fold", "hour"), [(0, "00"), (1, "01")])
def test_the_repeated_hour_at_the_end_of_summer_time_is_unambiguous(fold: int, hour: str) -> None:
    """Half past two happens twice in that night, and Python compares the two as equal."""
    night = datetime(2026, 10, 25, 2, 30, tzinfo=ZoneInfo("Europe/Berlin"), fold=fold)

    assert format_time(night) == f"2026-10-25T{hour}:30:00.000Z"

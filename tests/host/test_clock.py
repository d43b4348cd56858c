"""The clock of the machine."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

import pytest

from pyanamo_async.host.clock import SystemClock


def test_now_is_utc_to_the_millisecond() -> None:
    """The time of day lies between the machine's own before, less what was cut off, and after."""
    before = datetime.now(UTC)
    now = SystemClock().now()
    after = datetime.now(UTC)

    assert now.tzinfo is UTC
    assert now.microsecond % 1000 == 0
    assert before - timedelta(milliseconds=1) <= now <= after


@pytest.mark.parametrize("millisecond", range(0, 1000, 7))
def test_now_cuts_and_never_rounds(millisecond: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """The last nanosecond of a millisecond still belongs to it."""
    second = 1_767_268_800
    monkeypatch.setattr(time, "time_ns", lambda: second * 10**9 + millisecond * 10**6 + 999_999)

    expected = datetime.fromtimestamp(second, UTC) + timedelta(milliseconds=millisecond)
    assert expected == SystemClock().now()

"""The rules by which a worker is a suspect, stale or dead."""

from __future__ import annotations

from datetime import timedelta

import pytest

from pyanamo_async.core.workers import FENCED_SHARE, MARGIN, Worker, dead_after, is_suspect
from tests.fakes import NOON

LEASE = timedelta(seconds=180)
WORKER = Worker("w", "h", NOON, NOON, LEASE)


@pytest.mark.parametrize(("seconds", "suspect"), [(60, False), (60.001, True), (-60, False), (-60.001, True)])
def test_a_heartbeat_too_old_or_in_the_future_makes_a_suspect(seconds: float, suspect: bool) -> None:
    """By more than a third of the lease, either way."""
    assert is_suspect(NOON, now=NOON + timedelta(seconds=seconds), lease=LEASE) is suspect


@pytest.mark.parametrize("seconds", [10, 60, 180, 86_400])
def test_a_worker_has_fenced_itself_before_anybody_else_calls_it_dead(seconds: float) -> None:
    """The margin is what its scripts have to end in."""
    lease = timedelta(seconds=seconds)

    assert dead_after(lease, own_lease=LEASE) == lease * FENCED_SHARE + MARGIN


@pytest.mark.parametrize("seconds", [0, 9, 86_401])
def test_a_lease_that_is_not_credible_counts_as_the_observers_own(seconds: float) -> None:
    """Rows say what they like."""
    assert dead_after(timedelta(seconds=seconds), own_lease=LEASE) == LEASE * FENCED_SHARE + MARGIN

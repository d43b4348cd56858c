"""What a worker learns from notifications, and when an error is an answer."""

from __future__ import annotations

from datetime import datetime

import pytest

from pyanamo_async.errors import Unavailable
from pyanamo_async.fleet.notifications import TableNotifications
from pyanamo_async.store.memory import MemoryStore
from tests.fakes import FakeClock


class _Once(MemoryStore):
    """A table that tells of each notification once."""

    word, told, trouble = 0, 0, False

    async def notifications(self, *, now: datetime, consistent: bool = False) -> bool:  # noqa: ARG002 # the port's
        if self.trouble:
            raise Unavailable("throttled")
        told, self.told = self.told, self.word
        return told != self.word

    async def notify(self, *, now: datetime) -> None:  # noqa: ARG002 # the port's
        if self.trouble:
            raise Unavailable("throttled")
        self.word += 1


async def test_a_notification_counts_whoever_read_it() -> None:
    """One that came in a pause between two looks is not lost on the worker that is about to go home."""
    store = _Once()
    notifications = TableNotifications(store, FakeClock())
    before = await notifications.count()
    await notifications.notify()

    assert await notifications.poll()
    assert not await notifications.poll()
    assert await notifications.count() == before + 1


async def test_without_an_answer_a_pause_goes_on_and_nobody_goes_home() -> None:
    """What is only a convenience never fails; what is a reason to go home does."""
    store = _Once()
    store.trouble = True
    notifications = TableNotifications(store, FakeClock())

    await notifications.notify()
    assert not await notifications.poll()
    with pytest.raises(Unavailable):
        await notifications.count()

"""What a worker hears of announcements, and for how long that keeps it."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta

import pytest

from pyanamo_async.errors import Unavailable
from pyanamo_async.fleet.notifications import NotificationListener
from pyanamo_async.store.memory import MemoryStore
from simulation.virtual_time import VirtualClock, VirtualLoop, run

LATE = timedelta(seconds=1)


class _Once(MemoryStore):
    """A table that tells of each announcement once."""

    word, told, trouble = 0, 0, False

    async def notifications(self, *, now: datetime, consistent: bool = False) -> bool:  # noqa: ARG002 # the port's
        if self.trouble:
            raise Unavailable("throttled")
        told, self.told = self.told, self.word
        return told != self.word


@pytest.mark.parametrize("first", ["hears", "heard_lately"])
def test_what_was_heard_is_lately_for_as_long_as_the_queue_may_be_late(first: str) -> None:
    """Whether it was heard in a pause or by somebody about to go home."""

    async def main(loop: VirtualLoop) -> None:
        store = _Once()
        listening = NotificationListener(store, VirtualClock(loop), late=LATE)
        assert not await listening.heard_lately()
        store.word = 1
        assert await getattr(listening, first)()

        await asyncio.sleep(0.9)
        assert not await listening.hears()
        assert await listening.heard_lately()
        await asyncio.sleep(0.2)
        assert not await listening.heard_lately()

    run(main)


def test_nobody_knows_what_came_when_there_is_no_answer() -> None:
    """Who waits goes on looking; who wants to go home is told."""

    async def main(loop: VirtualLoop) -> None:
        store = _Once()
        store.trouble = True
        listening = NotificationListener(store, VirtualClock(loop), late=LATE)

        assert not await listening.hears()
        with pytest.raises(Unavailable):
            await listening.heard_lately()

    run(main)

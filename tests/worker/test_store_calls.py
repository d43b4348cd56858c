"""What the log says of a store that is away, on virtual time."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable

import pytest

from pyanamo_async.errors import Fenced, PyanamoError, Unavailable
from pyanamo_async.ports import Runtime
from pyanamo_async.worker.store_calls import StoreCalls
from simulation.crew import Notes
from simulation.virtual_time import VirtualClock, VirtualLoop, run

AWAY = Unavailable("no space is left")


class Calls:
    """Calls of one worker, and what the log said of them."""

    def __init__(self, loop: VirtualLoop) -> None:
        self._loop, self._notes = loop, Notes()
        self._calls = StoreCalls(Runtime(VirtualClock(loop), random.Random(1), self._notes))
        self.give_up = asyncio.Event()

    async def made(self, *, away_s: float = 0, error: PyanamoError | None = None) -> None:
        """Make a call that is answered after so long, perhaps by an error."""
        await self._calls.call(self._away_until(self._loop.time() + away_s, error), give_up=self.give_up)

    def _away_until(self, until_s: float, error: PyanamoError | None) -> Callable[[], Awaitable[None]]:
        async def call() -> None:
            if self._loop.time() < until_s:
                raise AWAY
            if error:
                raise error

        return call

    @property
    def said(self) -> list[str]:
        return [event for event, _ in self._notes.taken]


def test_a_call_that_works_ends_no_spell_of_others() -> None:
    """On a full disk one can read, and cannot write."""

    async def main(loop: VirtualLoop) -> None:
        calls = Calls(loop)
        async with asyncio.TaskGroup() as group:
            for away_s in (300, 30):
                group.create_task(calls.made(away_s=away_s))
            for _ in range(100):
                await asyncio.sleep(1)
                await calls.made()
            assert calls.said == ["store unavailable"]

        assert calls.said == ["store unavailable", "store available again"]

    run(main)


def test_a_store_that_answers_now_and_then_is_one_spell() -> None:
    """Nothing is said of what fails again at once for a moment; what goes on failing is."""

    async def main(loop: VirtualLoop) -> None:
        calls, spell = Calls(loop), ["store unavailable", "store available again"]
        for _ in range(20):
            await calls.made(away_s=0.5)
        assert calls.said == spell

        await calls.made(away_s=100)
        assert calls.said == 2 * spell

    run(main)


def test_a_call_that_is_given_up_says_nothing_of_the_store() -> None:
    """It may still be away; and what is asked for next is not the same."""

    async def main(loop: VirtualLoop) -> None:
        calls = Calls(loop)
        loop.call_later(10, calls.give_up.set)
        with pytest.raises(Unavailable):
            await calls.made(away_s=100)
        await calls.made()

        assert calls.said == ["store unavailable"]

    run(main)


def test_an_error_is_an_answer() -> None:
    """A store that refuses is there."""

    async def main(loop: VirtualLoop) -> None:
        calls = Calls(loop)
        with pytest.raises(Fenced):
            await calls.made(away_s=10, error=Fenced("another's"))

        assert calls.said == ["store unavailable", "store available again"]

    run(main)

"""The retry loop: what it retries, for how long, and what ends it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence

import pytest

from pyanamo_async.errors import Denied, PyanamoError, Unavailable
from pyanamo_async.host.retry import RetrySchedule, retry
from simulation.virtual_time import VirtualLoop, run

AWAY = Unavailable("the table does not answer")


def failing(*errors: PyanamoError) -> Callable[[], Awaitable[str]]:
    """Make a call that raises these errors, one a time, then returns."""
    left = list(errors)

    async def call() -> str:
        if left:
            raise left.pop(0)
        return "answer"

    return call


def paused(errors: Sequence[PyanamoError], schedule: RetrySchedule) -> tuple[object, float]:
    """Retry on a virtual clock; return the answer or error, and the seconds that passed."""

    async def main(loop: VirtualLoop) -> tuple[object, float]:
        began = loop.time()
        try:
            answer: object = await retry(failing(*errors), schedule, random=lambda: 1.0, monotonic=loop.time)
        except PyanamoError as error:
            answer = error
        return answer, round(loop.time() - began, 3)

    return run(main)


def test_a_call_that_succeeds_is_made_once() -> None:
    """Nothing is waited for."""
    assert paused([], RetrySchedule()) == ("answer", 0.0)


def test_pauses_double_up_to_the_longest() -> None:
    """With the largest jitter: 1, 2, 4, 4 seconds."""
    schedule = RetrySchedule(first_pause_s=1.0, longest_pause_s=4.0)

    assert paused([AWAY] * 4, schedule) == ("answer", 11.0)


def test_a_service_that_names_a_pause_gets_it() -> None:
    """`Retry-After` outranks a shorter pause of ours."""
    assert paused([Unavailable("busy", retry_after_s=7.0)], RetrySchedule(first_pause_s=1.0)) == ("answer", 7.0)


def test_the_last_error_is_raised_when_the_time_is_up() -> None:
    """The limit counts from the first failure, and the last try is made when it is over."""
    answer, seconds = paused([AWAY] * 100, RetrySchedule(limit_s=10.0, first_pause_s=4.0))

    assert (answer, seconds) == (AWAY, 10.0)


def test_without_time_a_call_is_made_once() -> None:
    """A limit of zero means no repetition."""
    assert paused([AWAY], RetrySchedule(limit_s=0.0)) == (AWAY, 0.0)


def test_other_errors_pass_at_once() -> None:
    """No retry heals a denial."""
    denied = Denied("no")

    assert paused([AWAY, denied], RetrySchedule(first_pause_s=1.0)) == (denied, 1.0)


def test_giving_up_ends_a_pause() -> None:
    """A caller that no longer needs the result does not wait for it."""

    async def main(loop: VirtualLoop) -> float:
        give_up = asyncio.Event()
        loop.call_later(2.0, give_up.set)
        with pytest.raises(Unavailable):
            await retry(
                failing(*[AWAY] * 9),
                RetrySchedule(first_pause_s=60.0, longest_pause_s=60.0),
                give_up=give_up,
                random=lambda: 1.0,
            )
        return loop.time()

    assert run(main) <= 3.0

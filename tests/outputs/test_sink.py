"""The laws of `outputs.sink`."""

from __future__ import annotations

import asyncio

import pytest

from pyanamo_async.outputs.sink import to_its_end


async def test_what_must_not_be_left_half_done_is_done_first() -> None:
    """A cancellation, or several, is raised when the work is through."""
    may_end = asyncio.Event()
    done = []

    async def work() -> None:
        await may_end.wait()
        done.append("work")

    waiting = asyncio.create_task(to_its_end(work()))
    for _ in range(3):
        await asyncio.sleep(0)
        waiting.cancel()
    await asyncio.sleep(0)
    assert not waiting.done()
    may_end.set()
    await asyncio.wait([waiting])

    assert (waiting.cancelled(), done) == (True, ["work"])


async def test_its_result_and_its_failure_are_passed_on() -> None:
    """Without a cancellation it is as if it were awaited."""

    async def work(result: int) -> int:
        return 6 // result

    assert await to_its_end(work(2)) == 3
    with pytest.raises(ZeroDivisionError):
        await to_its_end(work(0))


async def test_it_ends_in_its_time() -> None:
    """What is not through some time after the cancellation is cancelled too, and that is waited for."""
    ended = []

    async def work() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append("work")

    waiting = asyncio.create_task(to_its_end(work(), at_most_s=0))
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.wait([waiting])

    assert (waiting.cancelled(), ended) == (True, ["work"])

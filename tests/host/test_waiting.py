"""Waiting for work that a cancellation must not cut short."""

from __future__ import annotations

import asyncio

import pytest

from pyanamo_async.host.waiting import shielded


async def test_a_cancellation_waits_for_shielded_work() -> None:
    """A cancellation, or several, is raised once the work has ended."""
    may_end = asyncio.Event()
    done = []

    async def work() -> None:
        await may_end.wait()
        done.append("work")

    waiting = asyncio.create_task(shielded(work()))
    for _ in range(3):
        await asyncio.sleep(0)
        waiting.cancel()
    await asyncio.sleep(0)
    assert not waiting.done()
    may_end.set()
    await asyncio.wait([waiting])

    assert (waiting.cancelled(), done) == (True, ["work"])


async def test_result_and_error_are_passed_on() -> None:
    """Without a cancellation, shielded work behaves as if it were awaited."""

    async def work(result: int) -> int:
        return 6 // result

    assert await shielded(work(2)) == 3
    with pytest.raises(ZeroDivisionError):
        await shielded(work(0))


async def test_the_grace_limits_shielded_work() -> None:
    """Work that has not ended when the grace is over is cancelled, and waited for."""
    ended = []

    async def work() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append("work")

    waiting = asyncio.create_task(shielded(work(), grace_s=0))
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.wait([waiting])

    assert (waiting.cancelled(), ended) == (True, ["work"])

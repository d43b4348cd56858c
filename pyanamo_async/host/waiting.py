"""Waiting with an end."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any, TypeVar

T = TypeVar("T")


async def elapsed(event: asyncio.Event, seconds: float | None) -> bool:
    """Wait for an event, at most so many seconds (None: for ever); tell whether the time ran out first."""
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await event.wait()
    return not event.is_set()


def followed_up(work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
    """Begin work whose error is heard even when whoever waits for it is cancelled: Python would complain at its end."""
    task = asyncio.create_task(work)
    task.add_done_callback(lambda done: done.cancelled() or done.exception())
    return task

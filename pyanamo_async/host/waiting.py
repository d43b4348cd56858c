"""Wait for an event with a timeout, and for work that a cancellation must not cut short."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any, TypeVar

T = TypeVar("T")


async def elapsed(event: asyncio.Event, seconds: float | None) -> bool:
    """Wait for an event for at most so many seconds (None: no limit); return True if the time ran out first."""
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await event.wait()
    return not event.is_set()


async def shielded(work: Coroutine[Any, Any, T], *, grace_s: float | None = None) -> T:
    """Await work that must not be left half done: a cancellation meanwhile is raised once the work has ended.

    With `grace_s`, the work is cancelled too if it has not ended so many seconds after the cancellation.
    """
    task = asyncio.ensure_future(work)
    cancelled = False
    while not task.done():
        try:
            await asyncio.wait([task], timeout=grace_s if cancelled else None)
        except asyncio.CancelledError:
            cancelled = True
        else:
            task.cancel()  # the grace is over; no effect if the task is done
    if cancelled:
        await asyncio.gather(task, return_exceptions=True)  # its result no longer matters, only that it has ended
        raise asyncio.CancelledError
    return task.result()

"""Waiting with an end."""

from __future__ import annotations

import asyncio
from contextlib import suppress


async def elapsed(event: asyncio.Event, seconds: float | None) -> bool:
    """Wait for an event, at most so many seconds (None: for ever); tell whether the time ran out first."""
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await event.wait()
    return not event.is_set()

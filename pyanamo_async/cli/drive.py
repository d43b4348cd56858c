"""Run one command's coroutine on a plain event loop, with what it needs open."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from pyanamo_async.app import Opened
from pyanamo_async.ports import Store
from pyanamo_async.settings import Settings


def with_store(given: Settings, work: Callable[[Store], Awaitable[None]]) -> None:
    """Open the table, do the work, close it."""
    import asyncio

    async def main() -> None:
        async with Opened(given) as opened:
            await work(await opened.store())

    asyncio.run(main())

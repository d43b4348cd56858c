"""Run one command's coroutine on a plain event loop, with what it needs open."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from pyanamo_async.app import Opened
from pyanamo_async.ports import Store
from pyanamo_async.settings import Settings


def with_opened(given: Settings, work: Callable[[Opened], Awaitable[None]]) -> None:
    """Do work that opens what it needs, and close that."""
    import asyncio

    async def main() -> None:
        async with Opened(given) as opened:
            await work(opened)

    asyncio.run(main())


def with_store(given: Settings, work: Callable[[Store], Awaitable[None]]) -> None:
    """Open the table, do the work, close it."""

    async def on_store(opened: Opened) -> None:
        await work(await opened.store())

    with_opened(given, on_store)

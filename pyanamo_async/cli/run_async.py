"""Run one command's coroutine on a plain event loop, with what it needs open."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from signal import SIG_IGN, Signals, getsignal

import typer

from pyanamo_async.app.resources import Resources
from pyanamo_async.app.settings import Settings
from pyanamo_async.ports import Store


def with_resources(given: Settings, work: Callable[[Resources], Awaitable[None]]) -> None:
    """Do work that opens what it needs, and close that."""
    import asyncio

    async def main() -> None:
        async with Resources(given) as opened:
            await work(opened)

    asyncio.run(main())


def with_store(given: Settings, work: Callable[[Store], Awaitable[None]]) -> None:
    """Open the table, do the work, close it."""

    async def on_store(opened: Resources) -> None:
        await work(await opened.store())

    with_resources(given, on_store)


@contextmanager
def ended_by(*signals: Signals) -> Iterator[None]:
    """Cancel what is entered with each of these signals that comes, and exit as a shell reports the first of them.

    One that is ignored stays so: nohup means what it says.
    """
    import asyncio

    loop, me = asyncio.get_running_loop(), asyncio.current_task()
    heard = [number for number in signals if getsignal(number) is not SIG_IGN]
    came: list[Signals] = []

    def end(number: Signals) -> None:
        came.append(number)
        if me is not None:
            me.cancel()

    for number in heard:
        loop.add_signal_handler(number, end, number)
    try:
        yield
    except asyncio.CancelledError:
        if came:
            raise typer.Exit(128 + came[0]) from None
        raise
    finally:
        for number in heard:
            loop.remove_signal_handler(number)

"""Run the coroutine of a command on a plain event loop."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import AsyncExitStack, contextmanager
from signal import SIG_IGN, Signals, getsignal
from typing import TypeVar

import typer

from pyanamo_async import Table
from pyanamo_async.cli.console import note
from pyanamo_async.core.text.plural import plural

T = TypeVar("T")


def with_table(table: Table, work: Callable[[Table], Awaitable[T]]) -> T:
    """Do the work on an event loop, and close the table."""
    return with_tables([table], lambda _: work(table))


def with_tables(tables: Sequence[Table], work: Callable[[Sequence[Table]], Awaitable[T]]) -> T:
    """Do the work on an event loop, and close the tables."""
    import asyncio

    async def main() -> T:
        async with AsyncExitStack() as stack:
            for table in tables:
                await stack.enter_async_context(table)
            try:
                return await work(tables)
            finally:
                if skipped := sum(table.skipped_rows for table in tables):
                    note(f"{plural(skipped, 'row')} cannot be read and left out; `pyanamo doctor` lists them")

    return asyncio.run(main())


@contextmanager
def ended_by(*signals: Signals) -> Iterator[None]:
    """Cancel the block when one of these signals comes, and exit with the status that shells report for it.

    An ignored signal stays ignored, as `nohup` promises.
    """
    import asyncio

    loop, me = asyncio.get_running_loop(), asyncio.current_task()
    handled = [number for number in signals if getsignal(number) is not SIG_IGN]
    received: list[Signals] = []

    def end(number: Signals) -> None:
        received.append(number)
        if me is not None:
            me.cancel()

    for number in handled:
        loop.add_signal_handler(number, end, number)
    try:
        yield
    except asyncio.CancelledError:
        if received:
            raise typer.Exit(128 + received[0]) from None
        raise
    finally:
        for number in handled:
            loop.remove_signal_handler(number)

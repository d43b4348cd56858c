"""`pyanamo logs --follow`: what a task prints, while it prints it."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import typer

from pyanamo_async.app import Opened
from pyanamo_async.cli.drive import with_opened
from pyanamo_async.cli.screen import flush, note, write
from pyanamo_async.clock import SystemClock
from pyanamo_async.core.outcomes import Outcome, Succeeded
from pyanamo_async.operate.following import Follower, View
from pyanamo_async.operate.reading import Reader
from pyanamo_async.process_mark import fate
from pyanamo_async.settings import Settings

NO_SUCCESS = 3  # as `run` has it: what ran did not succeed, which is no error of ours
ENDINGS = (signal.SIGTERM, signal.SIGHUP)  # those that would leave the worker publishing for nobody; Ctrl-C does not


def follow(given: Settings, item: str, task: str | None, streams: Sequence[str]) -> None:
    """Show a task's output until its attempt is over, and exit with 0 if that succeeded."""
    outcome: Outcome | None = None
    screen = _Screen(headings=len(streams) > 1)

    async def work(opened: Opened) -> None:
        nonlocal outcome
        store, reader = await opened.store(), Reader(given.table_name, opened.outputs)
        view = View(streams, screen.show, lambda line: note(f"pyanamo: {line}"))
        with _ended_by_signals():
            outcome = await Follower(item, task, view, store, reader, SystemClock(), fate).follow()

    with_opened(given, work)
    if not isinstance(outcome, Succeeded):
        raise typer.Exit(NO_SUCCESS)


class _Screen:
    """Writes to stdout at once, below a heading whenever another stream goes on, as `tail -f` does."""

    def __init__(self, *, headings: bool) -> None:
        self._headings = headings
        self._last = ""

    def show(self, stream: str, data: bytes) -> None:
        if self._headings and stream != self._last:
            write(f"{self._last and chr(10)}==> {stream} <==\n".encode())
            self._last = stream
        write(data)
        flush()


@contextmanager
def _ended_by_signals() -> Iterator[None]:
    loop, me = asyncio.get_running_loop(), asyncio.current_task()
    came: list[signal.Signals] = []

    def end(number: signal.Signals) -> None:
        came.append(number)
        if me is not None:
            me.cancel()

    for number in ENDINGS:
        loop.add_signal_handler(number, end, number)
    try:
        yield
    except asyncio.CancelledError:
        if came:
            raise typer.Exit(128 + came[0]) from None
        raise
    finally:
        for number in ENDINGS:
            loop.remove_signal_handler(number)

"""`pyanamo logs --follow`: what a task prints, while it prints it."""

from __future__ import annotations

import signal
from collections.abc import Sequence

import typer

from pyanamo_async.app.resources import Resources
from pyanamo_async.app.settings import Settings
from pyanamo_async.cli.console import flush, note, on_terminal, write
from pyanamo_async.cli.run_async import ended_by, with_resources
from pyanamo_async.core.outcomes import Outcome, Succeeded
from pyanamo_async.host.clock import SystemClock
from pyanamo_async.host.liveness import process_status
from pyanamo_async.operate.follow import Follower, View
from pyanamo_async.operate.logs import Reader

NO_SUCCESS = 3  # as `run` has it: what ran did not succeed, which is no error of ours
ENDINGS = (signal.SIGTERM, signal.SIGHUP)  # those that would leave the worker publishing for nobody; Ctrl-C does not


def follow(given: Settings, item: str, task: str | None, streams: Sequence[str]) -> None:
    """Show a task's output until its attempt is over, and exit with 0 if that succeeded."""
    outcome: Outcome | None = None
    screen = _Screen(headings=len(streams) > 1)

    async def work(opened: Resources) -> None:
        nonlocal outcome
        store = await opened.store()
        reader = Reader((await store.describe()).output_namespace, opened.outputs, opened.in_logs)
        view = View(streams, screen.show, screen.say)
        with ended_by(*ENDINGS):
            outcome = await Follower(item, task, view, store, reader, SystemClock(), process_status).follow()

    with_resources(given, work)
    if not isinstance(outcome, Succeeded):
        raise typer.Exit(NO_SUCCESS)


class _Screen:
    """Writes to stdout at once, below a heading whenever another stream goes on, as `tail -f` does.

    What is said beside it goes to stderr; on a terminal it begins a line of its own.
    """

    def __init__(self, *, headings: bool) -> None:
        self._headings = headings
        self._last = ""
        self._line_is_open = False

    def show(self, stream: str, data: bytes) -> None:
        if self._headings and stream != self._last:
            write(f"{self._last and chr(10)}==> {stream} <==\n".encode())
            self._last = stream
        write(data)
        flush()
        self._line_is_open = not data.endswith(b"\n")

    def say(self, line: str) -> None:
        note(f"{chr(10) * (self._line_is_open and on_terminal())}pyanamo: {line}")
        self._line_is_open = False

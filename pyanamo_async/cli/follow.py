"""`pyanamo logs --follow`: what a task prints, while it prints it."""

from __future__ import annotations

import signal
from collections.abc import Sequence

import typer

from pyanamo_async import Outcome, Succeeded, Table
from pyanamo_async.cli.console import OutputWriter, note, on_terminal, say
from pyanamo_async.cli.run_async import ended_by, with_table

NO_SUCCESS_STATUS = 3  # as of `run`: the task did not succeed, which is no error of ours
SIGNALS = (signal.SIGTERM, signal.SIGHUP)  # would leave the worker publishing for nobody; Ctrl-C does not


def follow(table: Table, item: str, task: str | None, streams: Sequence[str]) -> None:
    """Show a task's output until its attempt ends, and exit with 0 if it succeeded, else with 3."""
    screen = _Screen(headings=len(streams) > 1)

    async def work(table: Table) -> Outcome | None:
        with ended_by(*SIGNALS):
            return await table.follow(item, task, show=screen.show, note=screen.note, streams=streams)

    if not isinstance(with_table(table, work), Succeeded):
        raise typer.Exit(NO_SUCCESS_STATUS)


class _Screen:
    """Writes to stdout at once, below a heading whenever the stream changes, as `tail -f` does.

    Notes go to stderr; on a terminal each begins a line of its own.
    """

    def __init__(self, *, headings: bool) -> None:
        self._headings = headings
        self._last = ""
        self._outputs: dict[str, OutputWriter] = {}
        self._line_is_open = False

    def show(self, stream: str, data: bytes) -> None:
        if self._headings and stream != self._last:
            if self._last:
                say("")
            say(f"==> {stream} <==")
            self._last = stream
        self._outputs.setdefault(stream, OutputWriter()).write(data)
        self._line_is_open = not data.endswith(b"\n")

    def note(self, line: str) -> None:
        note(f"pyanamo: {line}", on_new_line=self._line_is_open and on_terminal())
        self._line_is_open = False

"""`pyanamo logs`: what a task printed, byte for byte, but visible on a terminal; with `--follow` while it prints it."""

from __future__ import annotations

import signal
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from pyanamo_async import FoundLog, OutputError, OutputMissing, Selection, Succeeded, Table, TaskLog, UsageError
from pyanamo_async.cli.completing import complete_items
from pyanamo_async.cli.console import OutputWriter, flush, note, on_terminal, say
from pyanamo_async.cli.options import on_table
from pyanamo_async.cli.reading import counter
from pyanamo_async.cli.run_async import ended_by
from pyanamo_async.cli.selecting import may_select_items, note_scan
from pyanamo_async.cli.written_file import no_stdout
from pyanamo_async.core.text.plural import plural

BOTH = ("stdout", "stderr")
NO_SUCCESS_STATUS = 3  # the followed task did not succeed; `run` exits with the same
SIGNALS = (signal.SIGTERM, signal.SIGHUP)  # alone they would leave the worker publishing for nobody


@on_table
@may_select_items
async def logs(
    table: Table,
    *,
    selection: Selection | None,
    item: Annotated[
        str | None,
        typer.Argument(metavar="[ITEM]", help="An itemID.", show_default=False, autocompletion=complete_items),
    ] = None,
    which: Annotated[
        str | None,
        typer.Argument(
            metavar="[TASK]", help="A task of a nested item: Task_3, its number, or its argument.", show_default=False
        ),
    ] = None,
    stderr: Annotated[bool, typer.Option("--stderr", help="Print stderr, not stdout.")] = False,
    both: Annotated[bool, typer.Option("--both", help="Print stdout, then stderr, each below a heading.")] = False,
    attempt: Annotated[
        int | None,
        typer.Option("--attempt", metavar="N", min=1, help="Print an older attempt, if its output was stored."),
    ] = None,
    tail: Annotated[int | None, typer.Option("--tail", metavar="N", min=0, help="Only the last N lines.")] = None,
    follow: Annotated[
        bool,
        typer.Option("-f", "--follow", help="Follow a running task; exit with 0 if it succeeds, else with 3."),
    ] = False,
    into: Annotated[
        Path | None,
        typer.Option("--into", metavar="DIR", parser=no_stdout, help="Write a file for each task into this folder."),
    ] = None,
) -> None:
    """Print what a task printed, or all tasks of a selection.

    That is all that its last attempt wrote to stdout, or with --stderr to stderr, wherever it is stored. Several tasks
    are printed below headings, or with --into written to files. On a terminal control characters are only shown; a pipe
    or file gets every byte as it was written.
    """
    if stderr and both:
        raise UsageError("--stderr and --both exclude each other", hint="--both includes stderr")
    streams = BOTH if both else ("stderr" if stderr else "stdout",)
    if item is None:
        if selection is None:
            raise UsageError("no item is named", hint="give ITEM, or flags that select several, as --state failed")
        if follow or attempt is not None:
            raise UsageError("--follow and --attempt are for one item", hint="name it")
        await many_logs(table, selection, streams, tail=tail, into=into)
        return
    if selection is not None or into is not None:
        raise UsageError("flags that select, and --into, are for several items", hint="leave out ITEM, or these flags")
    if follow:
        if attempt is not None or tail is not None:
            raise UsageError("--follow shows the running attempt from now on", hint="leave --attempt and --tail out")
        await _follow(table, item, which, streams)
        return
    found = [await table.logs(item, which, stream=stream, attempt=attempt, tail=tail) for stream in streams]
    if both:
        await _print_both(found)
    elif not await print_log(found[0]) and tail != 0:
        note(f"pyanamo: {streams[0]} is empty. hint: --both shows stdout and stderr")


async def _print_both(logs: list[TaskLog]) -> None:
    """Print both below headings like those of `head` and `tail`; one may be missing, or damaged."""
    errors: list[OutputError] = []
    for heading, log in zip(("==> stdout <==", "==> stderr <=="), logs, strict=True):
        if log is not logs[0]:
            say("")
        say(heading)
        try:
            await print_log(log)
        except OutputError as error:
            errors.append(error)
    worst = [error for error in errors if len(errors) == len(logs) or not isinstance(error, OutputMissing)][:1]
    for each in errors:
        if each not in worst:
            note(f"pyanamo: {each}")
    for each in worst:
        raise each


async def _follow(table: Table, item: str, task: str | None, streams: Sequence[str]) -> None:
    """Show a task's output until its attempt ends, and exit with 0 if it succeeded, else with 3."""
    screen = _Screen(headings=len(streams) > 1)
    with ended_by(*SIGNALS):
        outcome = await table.follow(item, task, show=screen.show, note=screen.note, streams=streams)
    if not isinstance(outcome, Succeeded):
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


async def many_logs(
    table: Table, selection: Selection, streams: Sequence[str], *, tail: int | None, into: Path | None
) -> None:
    """Print what the selected tasks printed below headings like those of `head`, or write a file for each.

    If some output cannot be read, a note says so, and the rest is printed. An error follows at the end.
    """
    errors: list[OutputError] = []

    def unreadable(found: FoundLog, error: OutputError) -> None:
        errors.append(error)
        note(f"pyanamo: {' '.join(filter(None, (found.item_id, found.task)))}: {error.what}")

    await note_scan(table, selection, whole=True)
    number = 0
    if into is not None:
        paths = table.save_logs(selection, into, streams=streams, tail=tail, unreadable=unreadable)
        with counter(prints=False) as count:
            async for _ in paths:
                number += 1
                count[0] = number
        note(f"{plural(number, 'file')} written to {into}")
    else:
        async for found in table.all_logs(selection, streams=streams, tail=tail):
            _head(found, first=not number, stream=found.stream if len(streams) > 1 else "")
            try:
                await print_log(found.log)
            except OutputError as error:
                unreadable(found, error)
            number += 1
        flush()
        if not number:
            note("no task that is selected has run")
    if errors:
        raise OutputError(f"{plural(len(errors), 'output')} could not be read", hint="stderr names them")


def _head(found: FoundLog, *, first: bool, stream: str) -> None:
    if not first:
        say("")
    say(f"==> {' '.join(filter(None, (found.item_id, found.task, stream)))} <==")


async def print_log(log: TaskLog) -> bool:
    """Print a log as it arrives; return whether there was anything to print."""
    printed, output = False, OutputWriter()
    async for chunk in log:
        output.write(chunk)
        printed = printed or bool(chunk)
    output.write(b"", last=True)
    if log.incomplete:
        note(f"pyanamo: the output is incomplete: {log.incomplete}")
    return printed

"""`pyanamo logs`: what a task printed, byte for byte, but visible on a terminal."""

from __future__ import annotations

from typing import Annotated

import typer

from pyanamo_async import OutputError, OutputMissing, Table, TaskLog, UsageError
from pyanamo_async.cli.console import OutputWriter, note, say
from pyanamo_async.cli.follow import follow as follow_task
from pyanamo_async.cli.options import ItemArgument, on_table
from pyanamo_async.cli.run_async import with_table

BOTH = ("stdout", "stderr")


@on_table
def logs(
    table: Table,
    *,
    item: ItemArgument,
    task: Annotated[
        str | None,
        typer.Argument(metavar="[TASK]", help="A task of a nested item, as Task_3 or 3.", show_default=False),
    ] = None,
    stderr: Annotated[bool, typer.Option("--stderr", help="Print what went to stderr.")] = False,
    both: Annotated[bool, typer.Option("--both", help="Print stdout, then stderr, each below a heading.")] = False,
    attempt: Annotated[
        int | None, typer.Option("--attempt", metavar="N", min=1, help="An older attempt, if it was stored.")
    ] = None,
    tail: Annotated[int | None, typer.Option("--tail", metavar="N", min=0, help="Only the last N lines.")] = None,
    follow: Annotated[
        bool,
        typer.Option("-f", "--follow", help="Follow a running task; exit with 0 if it succeeds, else with 3."),
    ] = False,
) -> None:
    """Print what a task printed.

    All that its last attempt wrote to stdout, or with --stderr to stderr, wherever it is stored. A terminal shows
    control characters, and does not obey them; a pipe or file gets every byte as it was written.
    """
    if stderr and both:
        raise UsageError("--stderr and --both exclude each other", hint="--both includes stderr")
    streams = BOTH if both else ("stderr" if stderr else "stdout",)
    if follow:
        if attempt is not None or tail is not None:
            raise UsageError("--follow shows the running attempt from now on", hint="leave --attempt and --tail out")
        follow_task(table, item, task, streams)
        return

    async def work(table: Table) -> None:
        found = [await table.logs(item, task, stream=stream, attempt=attempt, tail=tail) for stream in streams]
        if both:
            await _print_both(found)
        elif not await _print(found[0]) and tail != 0:
            note(f"pyanamo: {streams[0]} is empty. hint: --both shows stdout and stderr")

    with_table(table, work)


async def _print_both(logs: list[TaskLog]) -> None:
    """Print both below headings like those of `head` and `tail`; one may be missing, or damaged."""
    errors: list[OutputError] = []
    for heading, log in zip(("==> stdout <==", "==> stderr <=="), logs, strict=True):
        if log is not logs[0]:
            say("")
        say(heading)
        try:
            await _print(log)
        except OutputError as error:
            errors.append(error)
    worst = [error for error in errors if len(errors) == len(logs) or not isinstance(error, OutputMissing)][:1]
    for each in errors:
        if each not in worst:
            note(f"pyanamo: {each}")
    for each in worst:
        raise each


async def _print(log: TaskLog) -> bool:
    """Print it as it comes; tell whether there was anything."""
    printed, output = False, OutputWriter()
    async for chunk in log:
        output.write(chunk)
        printed = printed or bool(chunk)
    output.write(b"", last=True)
    if log.incomplete:
        note(f"pyanamo: this is not all of it: {log.incomplete}")
    return printed

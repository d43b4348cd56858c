"""`pyanamo logs`: what a task printed, as it printed it."""

from __future__ import annotations

from typing import Annotated

import typer

from pyanamo_async.app.resources import Resources
from pyanamo_async.app.settings import Settings
from pyanamo_async.cli.console import flush, note, write
from pyanamo_async.cli.follow import follow as follow_task
from pyanamo_async.cli.options import ItemArgument, addressed
from pyanamo_async.cli.run_async import with_resources
from pyanamo_async.errors import OutputError, OutputMissing, UsageError
from pyanamo_async.operate.logs import STDERR, STDOUT, Found, Reader, task_of


@addressed
def logs(
    given: Settings,
    *,
    item: ItemArgument,
    task: Annotated[
        str | None,
        typer.Argument(metavar="[TASK]", help="A task of a nested item, as Task_3 or 3.", show_default=False),
    ] = None,
    stderr: Annotated[bool, typer.Option("--stderr", help="What it printed to stderr.")] = False,
    both: Annotated[bool, typer.Option("--both", help="Stdout, then stderr, each below a heading.")] = False,
    attempt: Annotated[
        int | None, typer.Option("--attempt", metavar="N", min=1, help="An older attempt, where it was stored.")
    ] = None,
    tail: Annotated[int | None, typer.Option("--tail", metavar="N", min=0, help="Only the last N lines.")] = None,
    follow: Annotated[
        bool, typer.Option("-f", "--follow", help="What it prints, while it runs; exits with 0 if it succeeds, else 3.")
    ] = False,
) -> None:
    """Print what a task printed.

    All that its last attempt wrote to stdout, or with --stderr to stderr, wherever it is kept.
    """
    if stderr and both:
        raise UsageError("--stderr and --both cannot be meant together", hint="--both has stderr too")
    streams = (STDOUT, STDERR) if both else (STDERR if stderr else STDOUT,)
    if follow:
        if attempt is not None or tail is not None:
            raise UsageError(
                "--follow goes with the attempt that runs, from where it is", hint="leave --attempt and --tail out"
            )
        follow_task(given, item, task, streams)
        return

    async def work(opened: Resources) -> None:
        store = await opened.store()
        seen = await store.read(item)
        chosen = task_of(seen, task)
        reader = Reader((await store.describe()).output_namespace, opened.outputs, opened.in_logs)
        found = [await reader.find(seen, chosen, stream, attempt=attempt) for stream in streams]
        if both:
            await _print_both(reader, found, tail)
        else:
            await _print(reader, found[0], tail)

    with_resources(given, work)


async def _print_both(reader: Reader, found: list[Found], tail: int | None) -> None:
    """Print both with headings as those of `head` and `tail`; one of them may be missing, or be wrong."""
    wrong: list[OutputError] = []
    for heading, stream in zip((b"==> stdout <==\n", b"\n==> stderr <==\n"), found, strict=True):
        write(heading)
        try:
            await _print(reader, stream, tail)
        except OutputError as error:
            wrong.append(error)
    worst = [error for error in wrong if len(wrong) == len(found) or not isinstance(error, OutputMissing)][:1]
    for each in wrong:
        if each not in worst:
            note(f"pyanamo: {each}")
    for each in worst:
        raise each


async def _print(reader: Reader, found: Found, tail: int | None) -> None:
    async for piece in reader.read(found, last=tail):
        write(piece)
        flush()
    if found.output.status:
        note(f"pyanamo: this is not all of it: {found.output.status}")

"""`pyanamo import`."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Annotated

import typer

from pyanamo_async.app.settings import DEFAULT_SHARDS, Settings
from pyanamo_async.cli.console import note, say, say_json
from pyanamo_async.cli.options import JsonOption, addressed
from pyanamo_async.cli.run_async import with_store
from pyanamo_async.core.taskfile.parser import Format
from pyanamo_async.core.text.plural import plural
from pyanamo_async.errors import UsageError
from pyanamo_async.host.clock import SystemClock
from pyanamo_async.operate.importing import Checked, OnExists, check, import_items, rehearse
from pyanamo_async.operate.task_files import open_task_file
from pyanamo_async.ports import AddResult, Store

PROGRESS_FROM = 1000  # rows; fewer are over before a bar is drawn


@addressed
def import_file(
    given: Settings,
    *,
    file: Annotated[str, typer.Argument(metavar="FILE", help="The task file; - is standard input.")],
    delimiter: Annotated[
        str,
        typer.Option(
            "-d", "--delimiter", metavar="TEXT", help=r"What separates fields, \t for a tab. Found in the header."
        ),
    ] = "",
    nested: Annotated[
        bool, typer.Option("-n", "--nested", help="Every row has TaskArgs: one task for each argument.")
    ] = False,
    no_header: Annotated[
        bool, typer.Option("--no-header", help="The first line is an item; columns in the usual order.")
    ] = False,
    on_exists: Annotated[
        OnExists, typer.Option("--on-exists", help="What becomes of items that are there already.")
    ] = OnExists.SKIP,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Check the file and count, write nothing.")] = False,
    json: JsonOption = False,
) -> None:
    """Add the items of a task file to the table.

    The table is created when it is missing. The file has a header like itemID|TaskID|TaskScript or
    itemID|TaskID|TaskScript|TaskArgs, with any delimiter, and may have the columns MaxFailures, Timeout and Priority.
    JSON Lines with the same names are read too. The whole file is checked before anything is written.
    """
    form = Format(delimiter=_delimiter(delimiter), nested=nested, header=not no_header)
    with open_task_file(file) as source:
        checked = check(source, form)

        async def work(store: Store) -> None:
            if dry_run:
                counts = await rehearse(store, checked, on_exists=on_exists)
            else:
                if await store.create(shards=DEFAULT_SHARDS):
                    note(f"created table {given.table}")
                with _bar(checked.items) as bar, _interruptible(bar, checked.items) as progress:
                    counts = await import_items(
                        store, checked, on_exists=on_exists, clock=SystemClock(), progress=progress
                    )
            _tell(counts, checked, json=json, dry_run=dry_run)

        with_store(given, work)


def _delimiter(text: str) -> str:
    """Read a delimiter as it comes through a shell.

    Raises:
        UsageError: it can separate no fields of a line.
    """
    delimiter = text.replace("\\t", "\t")
    if {"\n", "\r", '"'} & set(delimiter):
        raise UsageError(f"--delimiter {text!r} cannot separate fields", hint=r"any other text can, as '|' or '\t'")
    return delimiter


def _tell(counts: Counter[AddResult], checked: Checked, *, json: bool, dry_run: bool) -> None:
    shown = {str(each): counts[each] for each in AddResult}
    if json:
        say_json({"dry_run": dry_run, "items": checked.items, "tasks": checked.tasks, **shown})
        return
    words = ", ".join(f"{count} {name}" for name, count in shown.items() if count or name != AddResult.LOCKED)
    say(f"{'would be ' if dry_run else ''}{words}")
    if counts[AddResult.LOCKED]:
        held = plural(counts[AddResult.LOCKED], "item")
        note(f"{held} {'would stay' if dry_run else 'stayed'}: workers hold them. hint: import when they are done")


@contextmanager
def _interruptible(bar: Callable[[int], None], items: int) -> Iterator[Callable[[int], None]]:
    """Say how far it came when it is interrupted."""
    import asyncio

    taken = 0

    def progress(count: int) -> None:
        nonlocal taken
        taken += count
        bar(count)

    try:
        yield progress
    except asyncio.CancelledError:
        note(f"interrupted: {taken} of {plural(items, 'item')} stand in the table. hint: import again to continue")
        raise


@contextmanager
def _bar(items: int) -> Iterator[Callable[[int], None]]:
    if items < PROGRESS_FROM or not sys.stderr.isatty():
        yield lambda _: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    look = (TextColumn("importing"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*look, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("import", total=items)
        yield lambda count: progress.update(task, advance=count)

"""`pyanamo import`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Annotated

import typer

from pyanamo_async import CheckedItems, ImportResult, OnExists, Table, check_task_file
from pyanamo_async.cli import import_options as option
from pyanamo_async.cli.console import note, say, say_json
from pyanamo_async.cli.flags import standing_alone
from pyanamo_async.cli.locked_items import held_by_vanished, note_locked
from pyanamo_async.cli.options import JsonOption, on_new_files
from pyanamo_async.cli.reading import counting_bar
from pyanamo_async.cli.run_async import with_table
from pyanamo_async.cli.selecting import INCOMPLETE
from pyanamo_async.cli.views import shown_creation
from pyanamo_async.core.taskfile.parser import Kind
from pyanamo_async.core.text.plural import plural

COMMAND = standing_alone("-n", "--nested", without=",", takes=option.is_args_delimiter)
UNUSUAL = {"updated", "locked"}


@on_new_files
def import_file(
    table: Table,
    *,
    file: option.FileArgument = None,
    input_file: option.FileOption = None,
    delimiter: option.Delimiter = "",
    nested: option.Nested = None,
    no_header: option.NoHeader = False,
    lines: option.LinesOption = False,
    script: option.Script = "",
    item_id: option.ItemId = "",
    sample: option.Sample = "",
    args: option.Args = "",
    args_from: option.ArgsFrom = None,
    split: option.Split = None,
    on_exists: Annotated[
        OnExists, typer.Option("--on-exists", help="What to do with items that exist already.")
    ] = OnExists.SKIP,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Check the file and count; write nothing.")] = False,
    json: JsonOption = False,
) -> None:
    """Add the items of a task file to the table.

    The table is created if it is missing. The file has a header like itemID|TaskID|TaskScript or
    itemID|TaskID|TaskScript|TaskArgs, with any delimiter, and may have the columns MaxFailures, Timeout, Priority,
    Memory, Cpus and Folders.
    JSON with the same names is read too, and so are a plain list of commands and, with --script, a table with any
    columns. The whole file is checked before anything is written.
    """
    reading = check_task_file(
        option.one_file(file, input_file),
        delimiter=option.tab(delimiter),
        nested=nested is not None,
        args_delimiter=option.tab(nested or ","),
        no_header=no_header,
        lines=lines,
        template=option.template(script, item_id, sample, args, args_from),
        split=split,
    )
    with reading as checked:
        if checked.kind is Kind.COMMANDS and not lines:
            note(f"no header: each of {plural(checked.items, 'line')} is a command")

        async def work(table: Table) -> ImportResult:
            if dry_run:
                return await table.import_file(checked, on_exists=on_exists, dry_run=True)
            with _progress(checked, table.address) as progress:
                return await table.import_file(checked, on_exists=on_exists, progress=progress)

        async def work_and_look(table: Table) -> tuple[ImportResult, set[str]]:
            result = await work(table)
            return result, await held_by_vanished(table, result.locked_ids)

        result, vanished = with_table(table, work_and_look)
        _show(result, json=json, dry_run=dry_run)
        if not json:
            what, hint = "would stay" if dry_run else "stayed", "import again when they are done"
            note_locked(result.locked_ids, vanished, what=what, hint=hint, address=table.address)
        if result.locked and on_exists is OnExists.UPDATE:
            raise typer.Exit(INCOMPLETE)


def _show(result: ImportResult, *, json: bool, dry_run: bool) -> None:
    counts = {name: getattr(result, name) for name in ("added", "skipped", "replaced", "updated", "locked")}
    if json:
        counts |= {"differing": result.differing, "unreadable": result.unreadable, "locked_ids": result.locked_ids}
        say_json({"dry_run": dry_run, "items": result.items, "tasks": result.tasks, **counts})
        return
    words = ", ".join(f"{count} {name}" for name, count in counts.items() if count or name not in UNUSUAL)
    say(f"{'would be ' if dry_run else ''}{words}")
    if result.differing:
        names = _names(result.examples, of=result.differing)
        note(
            f"{result.differing} {'differs' if result.differing == 1 else 'differ'}: {names}. hint: the table keeps "
            "what it has; --on-exists update changes what differs"
        )
    if result.unreadable:
        names = _names(result.unreadable_examples, of=result.unreadable)
        note(
            f"the rows of {plural(result.unreadable, 'item')} in the table cannot be read: {names}. hint: `pyanamo "
            "doctor` says why; --on-exists replace overwrites them"
        )


def _names(examples: Sequence[str], *, of: int) -> str:
    return ", ".join(examples) + (", ..." if of > len(examples) else "")


@contextmanager
def _progress(checked: CheckedItems, address: str) -> Iterator[Callable[[ImportResult], None]]:
    """Show progress: a note if the table was created, a bar, and after an interruption how much was imported."""
    import asyncio

    written = 0
    with counting_bar("importing", checked.items) as draw:

        def progress(result: ImportResult) -> None:
            nonlocal written
            if told := shown_creation(result.creation, address) if not result.written else "":
                note(told)
            written = result.written
            draw(written)

        try:
            yield progress
        except asyncio.CancelledError:
            total = plural(checked.items, "item")
            known = f"at least {written}" if written else "none or some"  # a batch may be on its way
            note(f"interrupted: {known} of {total} are in the table. hint: import again to continue")
            raise

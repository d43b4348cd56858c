"""Print the output of many tasks, or write it into files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from pyanamo_async import FoundLog, OutputError, Selection, Table, TaskLog
from pyanamo_async.cli.console import OutputWriter, flush, note, say
from pyanamo_async.cli.reading import counter
from pyanamo_async.cli.selecting import note_scan
from pyanamo_async.core.text.plural import plural


async def many_logs(
    table: Table, selection: Selection, streams: Sequence[str], *, tail: int | None, into: Path | None
) -> None:
    """Print what the selected tasks printed below headings like those of `head`, or write a file for each.

    What cannot be read is noted; the others are there. Then an error says so.
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
    """Print it as it comes; tell whether there was anything."""
    printed, output = False, OutputWriter()
    async for chunk in log:
        output.write(chunk)
        printed = printed or bool(chunk)
    output.write(b"", last=True)
    if log.incomplete:
        note(f"pyanamo: this is not all of it: {log.incomplete}")
    return printed

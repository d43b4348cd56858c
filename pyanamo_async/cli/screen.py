"""What appears on stdout and stderr.

On a terminal, tables are drawn with rich; in a pipe they are lines of tab-separated fields below a header, which `cut`,
`awk` and spreadsheets take. A reader that goes away (`| head`) ends a command quietly, as SIGPIPE ends `cat`.
"""

from __future__ import annotations

import os
import sys
from collections.abc import AsyncIterator, Iterable, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

SIGPIPE_STATUS = 141
PAGE = 500  # rows that are laid out together on a terminal


class PipeClosed(Exception):
    """Nobody reads stdout any more."""


def on_terminal() -> bool:
    """Tell whether stdout is a terminal."""
    return sys.stdout.isatty()


def write(data: bytes) -> None:
    """Write to stdout.

    Raises:
        PipeClosed: its reader is gone.
    """
    try:
        sys.stdout.buffer.write(data)
    except BrokenPipeError:
        raise _pipe_closed() from None


def flush() -> None:
    """Write out what is buffered.

    Raises:
        PipeClosed: the reader of stdout is gone.
    """
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        raise _pipe_closed() from None


def say(line: str) -> None:
    """Write a line of data to stdout."""
    write(f"{line}\n".encode(errors="replace"))


def note(line: str) -> None:
    """Write a line that is no data to stderr."""
    print(line, file=sys.stderr, flush=True)  # noqa: T201 - the one place that prints


def say_json(value: object) -> None:
    """Write a value as JSON, indented on a terminal."""
    import orjson

    write(orjson.dumps(value, option=(orjson.OPT_INDENT_2 if on_terminal() else 0) | orjson.OPT_APPEND_NEWLINE))


async def say_json_list(values: AsyncIterator[object]) -> None:
    """Write a JSON list, one element a line, as they come."""
    import orjson

    before = b"["
    async for value in values:
        write(before + b"\n" + orjson.dumps(value))
        before = b","
    write(b"\n]\n" if before == b"," else b"[]\n")


def draw(renderable: RenderableType) -> None:
    """Draw something of rich's on the terminal."""
    console().print(renderable)


def console() -> Console:
    """Make a console on stdout that guesses nothing about what it is given."""
    from rich.console import Console

    return Console(highlight=False, markup=False, emoji=False, soft_wrap=False)


async def say_table(columns: Sequence[str], rows: AsyncIterator[Sequence[str]]) -> None:
    """Write a table of any length, page by page."""
    if not on_terminal():
        say("\t".join(columns))
        async for row in rows:
            say("\t".join(_plain(field) for field in row))
        return
    page: list[Sequence[str]] = []
    first = True
    async for row in rows:
        page.append(row)
        if len(page) == PAGE:
            _draw_page(columns, page, header=first)
            page, first = [], False
    if page or first:
        _draw_page(columns, page, header=first)


def _draw_page(columns: Sequence[str], rows: Iterable[Sequence[str]], *, header: bool) -> None:
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    table = Table(*columns, box=SIMPLE_HEAD, show_header=header, pad_edge=False, header_style="bold")
    for row in rows:
        table.add_row(*row)
    draw(table)


def _plain(field: str) -> str:
    return field.replace("\t", " ").replace("\n", " ")


def _pipe_closed() -> PipeClosed:
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or the interpreter complains when it flushes
    return PipeClosed()

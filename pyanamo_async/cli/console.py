"""What appears on stdout and stderr.

On a terminal, tables are drawn with rich; in a pipe they are lines of tab-separated fields below a header, which `cut`,
`awk` and spreadsheets take. A reader that goes away (`| head`) ends a command quietly, as SIGPIPE ends `cat`.
"""

from __future__ import annotations

import os
import sys
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from rich.console import RenderableType

SIGPIPE_STATUS = 141
PAGE = 500  # rows that are laid out together
CONTROLS = {code: 0x2400 + code for code in range(32) if chr(code) not in "\n\t"} | {0x7F: 0x2421}


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a table, and its style on a terminal."""

    fields: Sequence[str]
    style: str = ""


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
    """Write a line that is no data to stderr; when nobody takes it, work, tidying up and exit status are as ever."""
    try:
        print(line, file=sys.stderr, flush=True)  # noqa: T201 - the one place that prints
    except OSError:
        _take_nothing_for(sys.stderr)


def say_json(value: object, *, lines: bool = False) -> None:
    """Write a value as JSON: on a terminal indented, unless it is one of the `lines` of JSON Lines."""
    import orjson

    indent = orjson.OPT_INDENT_2 if on_terminal() and not lines else 0
    write(orjson.dumps(value, option=indent | orjson.OPT_APPEND_NEWLINE))


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
    from rich.console import Console

    flush()  # rich writes past our buffer
    Console(highlight=False, markup=False, emoji=False).print(renderable)


async def say_table(columns: Sequence[str], rows: AsyncIterator[Row], *, plain: bool = False) -> None:
    """Write a table of any length, page by page; nothing at all when the first rows cannot be had.

    A `plain` one is on a terminal what it is in a pipe.
    """
    show = _draw_page if on_terminal() and not plain else _say_page
    page: list[Row] = []
    header = True
    async for row in rows:
        page.append(row)
        if len(page) == PAGE:
            show(columns, page, header=header)
            page, header = [], False
    if page or header:
        show(columns, page, header=header)


def _say_page(columns: Sequence[str], rows: Sequence[Row], *, header: bool) -> None:
    if header:
        say("\t".join(columns))
    for row in rows:
        say("\t".join(_plain(field) for field in row.fields))


def _draw_page(columns: Sequence[str], rows: Sequence[Row], *, header: bool) -> None:
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    table = Table(box=SIMPLE_HEAD, show_header=header, pad_edge=False)
    for name in columns:
        table.add_column(name, overflow="fold")  # an id that is cut off cannot be copied
    for row in rows:
        table.add_row(*(Text(visible(field)) for field in row.fields), style=row.style)
    draw(table)


def visible(text: str) -> str:
    """Make control characters visible: what scripts print must not move the cursor of whoever reads about it."""
    return text.translate(CONTROLS)


def _plain(field: str) -> str:
    return visible(field.replace("\t", " ").replace("\n", " "))


def _pipe_closed() -> PipeClosed:
    _take_nothing_for(sys.stdout)
    return PipeClosed()


def _take_nothing_for(stream: TextIO) -> None:
    """Put /dev/null in the place of a stream that failed, or the interpreter fails too when it flushes in the end."""
    with open(os.devnull, "wb") as nothing:  # noqa: PTH123 - a name of os
        os.dup2(nothing.fileno(), stream.fileno())

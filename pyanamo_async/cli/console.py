"""Write to stdout and stderr.

1. On a terminal, tables are drawn with rich; in a pipe they are lines of tab-separated fields below a header, for
   `cut`, `awk` and spreadsheets.
2. A reader that goes away (`| head`) ends a command quietly, as SIGPIPE ends `cat`.
3. Text from a table, a file or a script is never printed raw: control characters become visible.
"""

from __future__ import annotations

import os
import sys
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TextIO

from pyanamo_async.errors import PyanamoError

if TYPE_CHECKING:
    from rich.console import RenderableType

SIGPIPE_STATUS = 141
PAGE = 500  # rows laid out together
CONTROLS = {code: 0x2400 + code for code in range(32) if chr(code) not in "\n\t"} | {0x7F: 0x2421}


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a table, and its style on a terminal."""

    fields: Sequence[str]
    style: str = ""


class PipeClosed(Exception):
    """The reader of stdout is gone."""


def on_terminal() -> bool:
    """Return whether stdout is a terminal."""
    return sys.stdout.isatty()


def write(data: bytes) -> None:
    """Write to stdout; raises as `flush` does."""
    try:
        sys.stdout.buffer.write(data)
    except OSError as error:
        raise _unwritable(error) from None


def flush() -> None:
    """Flush stdout.

    Raises:
        PipeClosed: the reader is gone.
        PyanamoError: stdout cannot be written, for another reason.
    """
    try:
        sys.stdout.flush()
    except OSError as error:
        raise _unwritable(error) from None


def say(line: str) -> None:
    """Write a line of data to stdout."""
    write(f"{line}\n".encode(errors="replace"))


def note(line: str) -> None:
    """Write a line that is no data to stderr; if stderr is closed, the command goes on as if it were not."""
    try:
        sys.stderr.write(f"{line}\n")
        sys.stderr.flush()
    except OSError:
        _discard(sys.stderr)


def say_json(value: object, *, lines: bool = False) -> None:
    """Write a value as JSON, indented on a terminal; with `lines`, as one line of JSON Lines."""
    import orjson

    indent = orjson.OPT_INDENT_2 if on_terminal() and not lines else 0
    write(orjson.dumps(value, option=indent | orjson.OPT_APPEND_NEWLINE))


async def say_json_list(values: AsyncIterator[object]) -> None:
    """Write a JSON list, one element a line, as the elements arrive."""
    import orjson

    before = b"["
    async for value in values:
        write(before + b"\n" + orjson.dumps(value))
        before = b","
    write(b"\n]\n" if before == b"," else b"[]\n")


def draw(renderable: RenderableType) -> None:
    """Draw a rich object on the terminal."""
    from rich.console import Console

    console = Console(highlight=False, markup=False, emoji=False)
    with console.capture() as drawn:
        console.print(renderable)
    write(drawn.get().encode(sys.stdout.encoding, errors="replace"))  # it says what is wrong with stdout


async def say_table(columns: Sequence[str], rows: AsyncIterator[Row], *, plain: bool = False) -> None:
    """Write a table of any length, page by page; nothing is written if reading the first page fails.

    With `plain`, a terminal gets what a pipe gets.
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
    """Make control and other unprintable characters visible: what scripts print must not control a terminal."""
    if text.isprintable():
        return text
    return "".join(
        each if each.isprintable() or each in "\n\t" else _escaped(each) for each in text.translate(CONTROLS)
    )


def _escaped(character: str) -> str:
    """Return an escape for a character without a picture: C1 controls, and those that turn the direction of a line."""
    return character.encode("unicode_escape").decode()


def _plain(field: str) -> str:
    return visible(field.replace("\t", " ").replace("\n", " "))


def _unwritable(error: OSError) -> Exception:
    _discard(sys.stdout)
    if isinstance(error, BrokenPipeError):
        return PipeClosed()
    return PyanamoError(f"stdout cannot be written: {error.strerror}", hint="what was printed is incomplete")


def _discard(stream: TextIO) -> None:
    """Point a failed stream at /dev/null: otherwise the interpreter fails when it flushes it at exit."""
    with open(os.devnull, "wb") as null:  # noqa: PTH123 - a name of os
        os.dup2(null.fileno(), stream.fileno())

"""Write to stdout and stderr.

1. Text from a table, a file, a script or a service reaches neither as it is, but through `core.text.visible`: it
   controls no terminal and forges no line. JSON holds escapes, so that its values stay exact.
2. A reader that goes away (`| head`) ends a command quietly, as SIGPIPE ends `cat`.
3. Who reads stderr, or no longer does, never fails a command.
"""

from __future__ import annotations

import codecs
import locale
import os
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from io import TextIOWrapper
from typing import TYPE_CHECKING, TextIO

from pyanamo_async.core.text.visible import one_line, visible, visible_json
from pyanamo_async.errors import PyanamoError

if TYPE_CHECKING:
    from rich.console import RenderableType

SIGPIPE_STATUS = 141
OTHER_SCREEN, OWN_SCREEN = "\x1b[?1049h\x1b[?25l", "\x1b[?25h\x1b[?1049l"  # and without the cursor
HOME, CLEAR_LINE_END, CLEAR_BELOW = "\x1b[H", "\x1b[K", "\x1b[J"


class PipeClosed(Exception):
    """The reader of stdout is gone."""


class VisibleStderr(TextIOWrapper):
    """A `sys.stderr` on which warnings, tracebacks and what typer says of arguments is visible, too."""

    def write(self, text: str, /) -> int:
        """Write text; a stderr that is closed takes it all, and forgets it."""
        try:
            return super().write(visible(text))
        except OSError:
            _discard(self)
            return len(text)


@contextmanager
def visible_streams() -> Iterator[None]:
    """Make what is written to stderr visible, and write to terminals in their own encoding."""
    for stream in (sys.stdout, sys.stderr):
        if stream.isatty() and isinstance(stream, TextIOWrapper):
            stream.reconfigure(encoding=_terminal_encoding(), errors="backslashreplace")
    before = sys.stderr
    ours = VisibleStderr(before.buffer, encoding=before.encoding, errors="backslashreplace", line_buffering=True)
    sys.stderr = ours
    try:
        yield
    finally:
        if sys.stderr is ours:
            sys.stderr = before
        ours.detach()  # otherwise it would close the descriptor


def _terminal_encoding() -> str:
    """Return the encoding of the locale; a locale without one (C) says nothing of the terminal."""
    encoding = codecs.lookup(locale.getencoding()).name
    return "utf-8" if encoding == "ascii" else encoding


def on_terminal() -> bool:
    """Return whether stdout is a terminal."""
    return sys.stdout.isatty()


def write(data: bytes) -> None:
    """Write bytes to stdout as they are; raises as `flush` does."""
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
    _write_text(f"{one_line(line)}\n")


def say_exactly(line: str) -> None:
    """Write a line of a format that programs read, to a pipe or file as it is."""
    if on_terminal():
        say(line)
    else:
        _write_text(f"{line}\n")


def note(line: str, *, on_new_line: bool = False) -> None:
    """Write a line that is no data to stderr; if stderr is closed, the command goes on as if it were not."""
    try:
        sys.stderr.write(f"{chr(10) * on_new_line}{one_line(line)}\n")
        sys.stderr.flush()
    except OSError:
        _discard(sys.stderr)


def say_json(value: object, *, lines: bool = False) -> None:
    """Write a value as JSON, indented on a terminal; with `lines`, as one line of JSON Lines."""
    import orjson

    indent = orjson.OPT_INDENT_2 if on_terminal() and not lines else 0
    _write_json(orjson.dumps(value, option=indent | orjson.OPT_APPEND_NEWLINE))


async def say_json_list(values: AsyncIterator[object]) -> None:
    """Write a JSON list, one element a line, as the elements arrive."""
    import orjson

    before = b"["
    async for value in values:
        _write_json(before + b"\n" + orjson.dumps(value))
        before = b","
    write(b"\n]\n" if before == b"," else b"[]\n")


def draw(renderable: RenderableType) -> None:
    """Draw a rich object on the terminal."""
    _write_text(_drawn(renderable))


@contextmanager
def screen() -> Iterator[Callable[[RenderableType], None]]:
    """Draw rich objects, each in place of the one before, on a screen of their own; then the terminal is as before.

    What has more lines than the terminal is cut off.
    """
    from rich.console import Console

    def show(renderable: RenderableType) -> None:
        lines = _drawn(renderable).splitlines()[: Console().height - 1]
        _write_text(HOME + "".join(f"{line}{CLEAR_LINE_END}\n" for line in lines) + CLEAR_BELOW)
        flush()

    _write_text(OTHER_SCREEN)
    try:
        yield show
    finally:
        _write_text(OWN_SCREEN)
        flush()


def _drawn(renderable: RenderableType) -> str:
    from rich.console import Console
    from rich.segment import Segment, Segments

    console = Console(highlight=False, markup=False, emoji=False)
    with console.capture() as drawn:
        console.print(Segments(Segment(visible(each.text), each.style) for each in console.render(renderable)), end="")
    return drawn.get()


class OutputWriter:
    """Writes bytes to stdout, as scripts printed them: as they are, but visible on a terminal."""

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")("backslashreplace") if on_terminal() else None

    def write(self, data: bytes, *, last: bool = False) -> None:
        """Write a part of it at once; raises as `flush` does."""
        if self._decoder is None:
            write(data)
        else:
            _write_text(visible(self._decoder.decode(data, final=last)))
        flush()

    def flush(self) -> None:
        """Write what a terminal may still lack: the bytes of half a character."""
        self.write(b"", last=True)


def _write_text(text: str) -> None:
    encoding = sys.stdout.encoding if on_terminal() else "utf-8"
    write(text.encode(encoding, errors="backslashreplace"))


def _write_json(data: bytes) -> None:
    write(visible_json(data))


def _unwritable(error: OSError) -> Exception:
    _discard(sys.stdout)
    if isinstance(error, BrokenPipeError):
        return PipeClosed()
    return PyanamoError(f"stdout cannot be written: {error.strerror}", hint="what was printed is incomplete")


def _discard(stream: TextIO) -> None:
    """Point a failed stream at /dev/null: otherwise the interpreter fails when it flushes it at exit."""
    with open(os.devnull, "wb") as null:  # noqa: PTH123 - a name of os
        os.dup2(null.fileno(), stream.fileno())

"""Write to stdout and stderr.

1. Text from a table, a file, a script or a service is never written raw, but through `core.text.visible`, so that it
   cannot control a terminal or forge a line. In JSON it is escaped, so that values stay exact.
2. If the reader of stdout goes away (`| head`), the command ends quietly, as `cat` does by SIGPIPE.
3. If the reader of stderr goes away, the command goes on.
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
OTHER_SCREEN, OWN_SCREEN = "\x1b[?1049h\x1b[?25l", "\x1b[?25h\x1b[?1049l"  # also hides and shows the cursor
HOME, CLEAR_LINE_END, CLEAR_BELOW = "\x1b[H", "\x1b[K", "\x1b[J"


class PipeClosed(Exception):
    """The reader of stdout is gone."""


class VisibleStderr(TextIOWrapper):
    """A `sys.stderr` that shows control characters visibly, also in warnings, tracebacks and messages of typer."""

    def write(self, text: str, /) -> int:
        """Write text, or discard it if stderr is closed."""
        try:
            return super().write(visible(text))
        except OSError:
            _discard(self)
            return len(text)


@contextmanager
def visible_streams() -> Iterator[None]:
    """Show control characters on stderr visibly, and write to terminals in their own encoding."""
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
    """Return the encoding of the locale, or UTF-8 if the locale names none (C)."""
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
    """Write a line that is not data to stderr; if stderr is closed, discard it and go on."""
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
    """Draw rich objects, each in place of the one before, on the alternate screen; then restore the terminal.

    Lines that do not fit on the terminal are cut off.
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
    """Writes to stdout what scripts printed: byte for byte, or visibly on a terminal."""

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")("backslashreplace") if on_terminal() else None

    def write(self, data: bytes, *, last: bool = False) -> None:
        """Write a part of the output at once; raises as `flush` does."""
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

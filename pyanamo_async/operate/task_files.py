"""Task files on disk or standard input, readable twice: once to check, once to import.

A file that can be read only once (standard input, a pipe) is copied to a temporary file without a name, so nothing is
left behind however the process ends.
"""

from __future__ import annotations

import io
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from pyanamo_async.core.taskfile.lines import MAX_LINE_BYTES
from pyanamo_async.errors import UsageError

STDIN = "-"
SNIFFED_BYTES = 1 << 16
_CONVERT = "{0}: convert it, as in `iconv -f {0} -t UTF-8 FILE | pyanamo import -`"
_MAGIC = {
    b"\x1f\x8b": "gzip: unpack it, as in `zcat FILE | pyanamo import -`",
    b"PK\x03\x04": "a zip archive or a spreadsheet: save it as text",
    b"\xff\xfe": _CONVERT.format("UTF-16"),
    b"\xfe\xff": _CONVERT.format("UTF-16"),
}
_UNMARKED = {"UTF-16LE": (1, 0), "UTF-16BE": (0, 1)}  # where the zero bytes are that Western text has, and where not


class TaskFile:
    """An open task file."""

    def __init__(self, name: str, file: BinaryIO) -> None:
        self.name = name
        self._file = file

    def lines(self) -> Iterator[bytes]:
        """Yield all lines from the beginning; a longer one than a task file may have comes in pieces.

        The carriage returns of a file without line feeds are its line ends, as old spreadsheets wrote them.
        """
        self._file.seek(0)
        start = self._file.read(SNIFFED_BYTES)
        self._file.seek(0)
        if b"\r" in start and b"\n" not in start:
            yield from _carriage_returns(self._file)
        while line := self._file.readline(MAX_LINE_BYTES + 1):
            yield line


@contextmanager
def open_task_file(name: str) -> Iterator[TaskFile]:
    """Open a task file; `-` is standard input.

    Raises:
        UsageError: it cannot be read, or is not text.
    """
    shown = "standard input" if name == STDIN else name
    with ExitStack() as opened:
        try:
            file = sys.stdin.buffer if name == STDIN else opened.enter_context(Path(name).open("rb"))
            if not file.seekable():
                file = opened.enter_context(closing(_copy(shown, file)))
            _refuse_binary(shown, file)
        except FileNotFoundError:
            raise UsageError(f"there is no file {name}", hint="check the path; - reads standard input") from None
        except OSError as error:
            raise UsageError(
                f"cannot read {name}: {error.strerror}", hint="check the path and its permissions"
            ) from error
        yield TaskFile(shown, file)


def _carriage_returns(file: BinaryIO) -> Iterator[bytes]:
    text = io.TextIOWrapper(file, encoding="latin-1", newline="\r")  # any byte is a character of latin-1, and back
    try:
        while line := text.readline(MAX_LINE_BYTES + 1):
            yield line.encode("latin-1").replace(b"\r", b"\n")
    finally:
        text.detach()


def _copy(name: str, file: BinaryIO) -> BinaryIO:
    """Copy a file that can be read only once.

    Raises:
        UsageError: the folder for temporary files is missing or full.
    """
    copy: BinaryIO | None = None
    try:
        copy = tempfile.TemporaryFile()  # noqa: SIM115 - the caller closes it
        shutil.copyfileobj(file, copy)
        copy.flush()
    except OSError as error:
        if copy is not None:
            with suppress(OSError):  # it would try to write the rest once more
                copy.close()
        folder = "no usable one" if copy is None else tempfile.gettempdir()
        raise UsageError(
            f"{name} can be read only once, and cannot be copied to the folder of TMPDIR ({folder}): {error.strerror}",
            hint="set TMPDIR to a folder with room, or import from a file",
        ) from error
    return copy


def _unmarked(start: bytes) -> str:
    """Return what to do with text in UTF-16 that does not say so; empty for anything else."""
    for name, (zeros, letters) in _UNMARKED.items():
        if start[zeros::2].count(0) * 2 > len(start[zeros::2]) and 0 not in start[letters::2]:
            return _CONVERT.format(name)
    return ""


def _refuse_binary(name: str, file: BinaryIO) -> None:
    file.seek(0)
    start = file.read(4096)
    kind = next((hint for magic, hint in _MAGIC.items() if start.startswith(magic)), "") or _unmarked(start)
    if kind:
        raise UsageError(f"{name} is not a text file", hint=f"it looks like {kind}")
    before, found, _ = start.partition(b"\0")
    if found:
        line = len((before + found).splitlines())
        raise UsageError(f"{name} is not a text file: line {line} has a NUL byte", hint="UTF-8 is expected")

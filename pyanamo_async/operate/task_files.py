"""Task files on disk or standard input, readable twice: once to check, once to import.

A file that can be read only once (standard input, a pipe) is copied to a temporary file without a name, so nothing is
left behind however the process ends.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import BinaryIO

from pyanamo_async.core.taskfile.parser import MAX_LINE_BYTES
from pyanamo_async.errors import UsageError

STDIN = "-"
_MAGIC = {
    b"\x1f\x8b": "gzip: unpack it, as in `zcat FILE | pyanamo import -`",
    b"PK\x03\x04": "a zip archive or a spreadsheet: save it as text",
    b"\xff\xfe": "UTF-16: convert it, as in `iconv -f UTF-16 -t UTF-8 FILE | pyanamo import -`",
    b"\xfe\xff": "UTF-16: convert it, as in `iconv -f UTF-16 -t UTF-8 FILE | pyanamo import -`",
}


class TaskFile:
    """An open task file."""

    def __init__(self, name: str, file: BinaryIO) -> None:
        self.name = name
        self._file = file

    def lines(self) -> Iterator[bytes]:
        """Yield all lines from the beginning; a line that is too long comes without its end, and is too long still."""
        self._file.seek(0)
        while line := self._file.readline(MAX_LINE_BYTES + 1):
            yield line
            while len(line) > MAX_LINE_BYTES and not line.endswith(b"\n"):
                line = self._file.readline(MAX_LINE_BYTES + 1)


@contextmanager
def open_task_file(name: str) -> Iterator[TaskFile]:
    """Open a task file; `-` is standard input.

    Raises:
        UsageError: it cannot be read, or is not text.
    """
    with ExitStack() as opened:
        try:
            file = sys.stdin.buffer if name == STDIN else opened.enter_context(Path(name).open("rb"))
            if not file.seekable():
                spool = opened.enter_context(tempfile.TemporaryFile())
                shutil.copyfileobj(file, spool)
                file = spool
            shown = "standard input" if name == STDIN else name
            _refuse_binary(shown, file)
        except FileNotFoundError:
            raise UsageError(f"there is no file {name}", hint="check the path; - reads standard input") from None
        except OSError as error:
            raise UsageError(
                f"cannot read {name}: {error.strerror}", hint="check the path and its permissions"
            ) from error
        yield TaskFile(shown, file)


def _refuse_binary(name: str, file: BinaryIO) -> None:
    file.seek(0)
    start = file.read(4096)
    kind = next((hint for magic, hint in _MAGIC.items() if start.startswith(magic)), "")
    if kind or b"\0" in start:
        raise UsageError(f"{name} is not a text file", hint=f"it looks like {kind}" if kind else "UTF-8 is expected")

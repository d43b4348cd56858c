"""The lines of a task file: numbered, and without those that hold nothing.

1. Lines come in pieces of bytes, as `readline` with a limit yields them. Of a line that is too long only the first
   piece is passed on, and it is too long still.
2. A record begins at a line that is neither blank nor a comment (`#`). Its reader may take the lines after it too: a
   field in quotes may span several, blank ones included.
3. A byte order mark is no content, also further down: `cat` leaves it there.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

MAX_LINE_BYTES = 4 * 1024 * 1024  # ten times the largest row, so that JSON escapes fit
BYTE_ORDER_MARK = b"\xef\xbb\xbf"
COMMENT = b"#"
NOT_UTF8 = "not UTF-8"


class InvalidLine(ValueError):
    """A line cannot become an item; the message says why."""


class Lines:
    """The lines of a file, each once, with the number of the latest."""

    def __init__(self, pieces: Iterable[bytes]) -> None:
        self.pieces = iter(pieces)
        self.number = 0
        self._is_cut = False
        self._again: list[bytes] = []

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        if self._again:
            return self._again.pop()
        line = next(self.pieces)
        while self._is_cut:
            self._is_cut = not line.endswith(b"\n")
            line = next(self.pieces)
        self._is_cut = len(line) > MAX_LINE_BYTES and not line.endswith(b"\n")
        self.number += 1
        return line.removeprefix(BYTE_ORDER_MARK)

    def take_back(self, line: bytes) -> None:
        """Give the latest line once more."""
        self._again.append(line)

    def records(self) -> Iterator[bytes]:
        """Yield the lines at which records begin."""
        return (line for line in self if begins_record(line))


def begins_record(line: bytes) -> bool:
    """Return whether a line is neither blank nor a comment."""
    text = line.lstrip()
    return text != b"" and not text.startswith(COMMENT)


def to_text(line: bytes) -> str:
    """Decode a line.

    Raises:
        InvalidLine: it is too long, or not UTF-8.
    """
    if len(line) > MAX_LINE_BYTES:
        raise InvalidLine("longer than 4 MiB")
    try:
        return line.decode()
    except UnicodeDecodeError as error:
        raise InvalidLine(f"{NOT_UTF8}: byte {line[error.start]:#04x} at column {error.start + 1}") from None


def unix_lines(script: str) -> str:
    """Return a script with the line ends that shells read: a carriage return would belong to the last word."""
    return script.replace("\r\n", "\n") if "\r" in script else script

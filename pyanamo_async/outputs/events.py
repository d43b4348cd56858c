"""Write output as events of CloudWatch Logs, and back, byte for byte.

An event is a line: `<item>/<task>/<attempt>.<stream> <number><kind> <text>`. By the number one sees what is missing,
double or out of order; the kind is `.` for a line, `+` for a piece of a longer one, `=` for what is no text, in base64,
and `$` for the end, by which one sees that nothing is missing there.
"""

from __future__ import annotations

import re
from base64 import b64decode, b64encode
from collections.abc import Iterable, Iterator

from pyanamo_async.outputs.keys import name
from pyanamo_async.ports import OutputKey

BATCH_BYTES = 1_048_576  # the service's limits: bytes and events a request, bytes that each event counts more
BATCH_EVENTS = 10_000
EVENT_OVERHEAD_BYTES = 26
PIECE_BYTES = 190_000  # in base64, with the longest mark, less than the 256 KiB an event may have

_WITHIN_CHARACTER = range(0x80, 0xC0)  # bytes of UTF-8 that begin none
_NO_TEXT = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1a\x1c-\x1f\x7f]")  # control characters a log viewer may swallow
_END = "$"
_EVENT = re.compile(r"(\d+)([.+=$]) (.*)", re.DOTALL)


def mark(key: OutputKey) -> str:
    """Tell what the events of an output begin with."""
    return f"{name(key.item_id)}/{name(key.task)}/{key.attempt}.{key.stream}"


def events(marked: str, chunks: Iterable[bytes]) -> Iterator[str]:
    """Write output as events."""
    number = 0
    for piece, ends_line in _pieces(chunks):
        yield f"{marked} {number}{_shown(piece, ends_line=ends_line)}"
        number += 1
    yield f"{marked} {number}{_END} "


def batches(messages: Iterable[str]) -> Iterator[list[str]]:
    """Gather events into requests within the limits of the service."""
    batch: list[str] = []
    size = 0
    for message in messages:
        more = len(message.encode()) + EVENT_OVERHEAD_BYTES
        if size + more > BATCH_BYTES or len(batch) == BATCH_EVENTS:
            yield batch
            batch, size = [], 0
        batch.append(message)
        size += more
    if batch:
        yield batch


class Rejoiner:
    """Put the events of an output together again, in whatever order and however often they come."""

    def __init__(self, marked: str) -> None:
        self.joined = 0  # events so far
        self._events: int | None = None
        self._prefix = f"{marked} "
        self._waiting: dict[int, bytes] = {}

    @property
    def is_whole(self) -> bool:
        """Tell whether all of the output has come."""
        return self.joined == self._events

    def feed(self, message: str) -> bytes:
        """Take an event, of any output; return the bytes that are whole with it."""
        event = _EVENT.fullmatch(message.removeprefix(self._prefix)) if message.startswith(self._prefix) else None
        if event is None or int(event[1]) < self.joined:
            return b""
        if event[2] == _END:
            self._events = int(event[1]) + 1
        self._waiting[int(event[1])] = _bytes(event[2], event[3])
        ready = []
        while self.joined in self._waiting:
            ready.append(self._waiting.pop(self.joined))
            self.joined += 1
        return b"".join(ready)


def _pieces(chunks: Iterable[bytes]) -> Iterator[tuple[bytes, bool]]:
    """Cut output into lines, without their newline, and longer ones into pieces that end none."""
    rest = b""
    for chunk in chunks:
        *lines, rest = (rest + chunk).split(b"\n")
        for line in lines:
            *beginnings, end = _cut(line)
            yield from ((piece, False) for piece in beginnings)
            yield end, True
        *beginnings, rest = _cut(rest)
        yield from ((piece, False) for piece in beginnings)
    if rest:
        yield rest, False


def _cut(line: bytes) -> list[bytes]:
    pieces = []
    while len(line) > PIECE_BYTES:
        edge = PIECE_BYTES
        while edge > PIECE_BYTES - 3 and line[edge] in _WITHIN_CHARACTER:
            edge -= 1
        pieces.append(line[:edge])
        line = line[edge:]
    return [*pieces, line]


def _shown(piece: bytes, *, ends_line: bool) -> str:
    try:
        text = piece.decode()
    except UnicodeDecodeError:
        text = "\0"
    if _NO_TEXT.search(text):
        return "= " + b64encode(piece + b"\n" * ends_line).decode()
    return (". " if ends_line else "+ ") + text


def _bytes(kind: str, text: str) -> bytes:
    if kind == "=":
        return b64decode(text)
    return text.encode() + b"\n" * (kind == ".")

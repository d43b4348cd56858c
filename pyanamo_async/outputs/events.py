"""Write output as events of CloudWatch Logs, and read it back byte for byte.

An event is one line of output: `<item>/<task>/<attempt>.<stream> <number><kind> <text>`.

1. The numbers count from 0 and show which events are missing, doubled or out of order.
2. The kind is `.` for a line, `+` for a part of a longer line, `=` for bytes that are not text, in base64, and `$` for
   the end, which shows that no event is missing there.
"""

from __future__ import annotations

import re
from base64 import b64decode, b64encode
from collections.abc import Iterable, Iterator

from pyanamo_async.outputs.keys import safe_name
from pyanamo_async.ports import OutputKey

BATCH_BYTES = 1_048_576  # PutLogEvents takes so many bytes and events, and counts 26 bytes more for each event
BATCH_EVENTS = 10_000
EVENT_OVERHEAD_BYTES = 26
EVENT_DATA_BYTES = 190_000  # in base64 and with the longest prefix below the 256 KiB of an event

_CONTINUATION = range(0x80, 0xC0)  # bytes of UTF-8 that begin no character
_NOT_TEXT = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1a\x1c-\x1f\x7f]")  # control characters a log viewer may drop
_END = "$"
_EVENT = re.compile(r"(\d+)([.+=$]) (.*)", re.DOTALL)


def event_prefix(key: OutputKey) -> str:
    """Return what every event of an output begins with."""
    return f"{safe_name(key.item_id)}/{safe_name(key.task)}/{key.attempt}.{key.stream}"


def events(prefix: str, chunks: Iterable[bytes]) -> Iterator[str]:
    """Yield the events of an output."""
    number = 0
    for data, ends_line in _split(chunks):
        yield f"{prefix} {number}{_encoded(data, ends_line=ends_line)}"
        number += 1
    yield f"{prefix} {number}{_END} "


def batches(messages: Iterable[str]) -> Iterator[list[str]]:
    """Group events into requests within the limits of the service."""
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


class EventJoiner:
    """Join the events of an output again, in whatever order and however often they arrive.

    `joined` counts the events joined so far.
    """

    def __init__(self, prefix: str) -> None:
        self.joined = 0
        self._total: int | None = None
        self._prefix = f"{prefix} "
        self._waiting: dict[int, bytes] = {}

    @property
    def is_complete(self) -> bool:
        """Return whether all events have arrived."""
        return self.joined == self._total

    def feed(self, message: str) -> bytes:
        """Add an event of any output; return the bytes that can be joined now."""
        event = _EVENT.fullmatch(message.removeprefix(self._prefix)) if message.startswith(self._prefix) else None
        if event is None or int(event[1]) < self.joined:
            return b""
        if event[2] == _END:
            self._total = int(event[1]) + 1
        self._waiting[int(event[1])] = _decoded(event[2], event[3])
        ready = []
        while self.joined in self._waiting:
            ready.append(self._waiting.pop(self.joined))
            self.joined += 1
        return b"".join(ready)


def _split(chunks: Iterable[bytes]) -> Iterator[tuple[bytes, bool]]:
    """Split output into lines without their newline, and long lines into several parts; say which parts end a line."""
    rest = b""
    for chunk in chunks:
        *lines, rest = (rest + chunk).split(b"\n")
        for line in lines:
            *parts, end = _cut(line)
            yield from ((part, False) for part in parts)
            yield end, True
        *parts, rest = _cut(rest)
        yield from ((part, False) for part in parts)
    if rest:
        yield rest, False


def _cut(line: bytes) -> list[bytes]:
    """Cut a line into parts that fit an event, if possible between characters."""
    parts = []
    while len(line) > EVENT_DATA_BYTES:
        edge = EVENT_DATA_BYTES
        while edge > EVENT_DATA_BYTES - 3 and line[edge] in _CONTINUATION:
            edge -= 1
        parts.append(line[:edge])
        line = line[edge:]
    return [*parts, line]


def _encoded(data: bytes, *, ends_line: bool) -> str:
    try:
        text = data.decode()
    except UnicodeDecodeError:
        text = "\0"
    if _NOT_TEXT.search(text):
        return "= " + b64encode(data + b"\n" * ends_line).decode()
    return (". " if ends_line else "+ ") + text


def _decoded(kind: str, text: str) -> bytes:
    if kind == "=":
        return b64decode(text)
    return text.encode() + b"\n" * (kind == ".")

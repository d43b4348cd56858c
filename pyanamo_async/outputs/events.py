"""Write output as events of CloudWatch Logs, and read it back byte for byte.

An event is one line of output: `<item>/<task>/<attempt>-<mark>.<stream> <number><kind> <text>`.

1. The numbers count from 0 and show which events are missing, doubled or out of order.
2. The kind is `.` for a line, `+` for a part of a longer line, `=` for bytes that are not text, in base64, and `$` for
   the end, which shows that no event is missing there.
"""

from __future__ import annotations

import io
import re
from base64 import b64decode, b64encode
from collections.abc import Iterable, Iterator

from pyanamo_async.outputs.keys import run_name, safe_name
from pyanamo_async.ports import OutputKey

BATCH_BYTES = 1_048_576  # PutLogEvents takes so many bytes and events, and counts 26 bytes more for each event
BATCH_EVENTS = 10_000
EVENT_OVERHEAD_BYTES = 26
EVENT_DATA_BYTES = 190_000  # in base64 and with the longest prefix below the 256 KiB of an event

_NOT_TEXT = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1a\x1c-\x1f\x7f]")  # control characters a log viewer may drop
_END = "$"
_EVENT = re.compile(r"(\d+)([.+=$]) (.*)", re.DOTALL)


def event_prefix(key: OutputKey) -> str:
    """Return what every event of an output begins with."""
    return f"{safe_name(key.item_id)}/{safe_name(key.task)}/{run_name(key)}"


def events(prefix: str, output: io.BytesIO | io.FileIO) -> Iterator[str]:
    """Yield the events of an output, read from its beginning."""
    output.seek(0)
    number = 0
    reader = io.BufferedReader(output)
    try:
        while line := reader.readline(EVENT_DATA_BYTES):
            yield f"{prefix} {number}{_encoded(line)}"
            number += 1
    finally:
        reader.detach()  # it would close the output
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


def _encoded(line: bytes) -> str:
    try:
        text = line.decode()
    except UnicodeDecodeError:  # or the cut of a long line is within a character
        text = "\0"
    if _NOT_TEXT.search(text):
        return "= " + b64encode(line).decode()
    return f". {text[:-1]}" if text.endswith("\n") else f"+ {text}"


def _decoded(kind: str, text: str) -> bytes:
    if kind == "=":
        return b64decode(text)
    return text.encode() + b"\n" * (kind == ".")

"""A worker's events as lines of text: when, what, and its fields."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime

from pyanamo_async.cli.flags import name_flags
from pyanamo_async.core.stored.queue_key import format_time
from pyanamo_async.core.text.visible import one_line


class Event:
    """An event whose line is made when it is written."""

    __slots__ = ("_at", "_fields", "_name")

    def __init__(self, name: str, fields: Mapping[str, object]) -> None:
        self._at, self._name, self._fields = datetime.now(UTC), name, fields

    def __str__(self) -> str:
        return f"{format_time(self._at)} {line(self._name, self._fields)}\n"


class LogLines:
    """An event log that writes a line for each event."""

    def __init__(self, put: Callable[[object], None]) -> None:
        self._put = put

    def note(self, event: str, /, **fields: object) -> None:
        """Write the line of an event."""
        self._put(Event(event, fields))


def line(event: str, fields: Mapping[str, object]) -> str:
    """Format an event as one line, without empty fields."""
    said = [event]
    for name, value in fields.items():
        text = "" if value is None or name == "exc" else str(value)
        if "hint: " in text:  # an error of ours, which may name arguments
            text = name_flags(text)
        if text:
            said.append(f"{name}={text if text.isprintable() and ' ' not in text else repr(text)}")
    return one_line(" ".join(said))

"""Attributes of stored rows, and the fields they hold: one table for both directions.

What is read is checked: a row may hold anything, whoever wrote it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any, Generic, NamedTuple, TypeVar

from pyanamo_async.core.stored.queue_key import format_time, parse_time
from pyanamo_async.core.values import Value, replace

Row = dict[str, Any]
Kind = TypeVar("Kind", bound=Value)
T = TypeVar("T")
MOST = 10**9  # the largest count taken for real; a store may refuse to write larger ones back
MOST_BYTES = 2**63 - 1
SHOWN = 40  # characters of a wrong value


class Column(NamedTuple):
    """An attribute, the field that it holds, how it is read, and how it is written if not as it is."""

    name: str
    field: str
    read: Callable[[Any], object]
    write: Callable[[Any], object] | None = None


class Columns(Generic[Kind]):
    """The columns of one kind of value. Fields that are as in `blank` are left out of a row."""

    def __init__(self, blank: Kind, *columns: Column) -> None:
        self.names = tuple([each.name for each in columns])
        self._blank = blank
        self._columns = [(*each, getattr(blank, each.field)) for each in columns]

    def encode(self, value: Kind) -> Row:
        """Return the row of a value."""
        return {
            name: write(held) if write else held
            for name, field, _, write, default in self._columns
            if (held := getattr(value, field)) != default
        }

    def decode(self, row: Mapping[str, Any]) -> Kind:
        """Return the value of a row; unknown attributes are ignored.

        Raises:
            ValueError: an attribute is not of its kind.
        """
        try:
            known = {field: read(row[name]) for name, field, read, _, _ in self._columns if name in row}
        except (ArithmeticError, TypeError, ValueError):  # again, to name it: that would cost every good row too much
            known = {field: read_as(read, name, row[name]) for name, field, read, _, _ in self._columns if name in row}
        return replace(self._blank, **known)


def read_as(kind: Callable[[Any], T], name: str, value: object) -> T:
    """Return an attribute's value, read as its kind.

    Raises:
        ValueError: it is of another kind; the message names the attribute.
    """
    try:
        return kind(value)
    except (ArithmeticError, TypeError, ValueError) as error:
        raise ValueError(f"{name} is {_shown(value)}: {error}") from None


def text(value: object) -> str:
    """Return text that every store and terminal can hold."""
    if not isinstance(value, str):
        raise TypeError("not text")
    if not value.isascii():
        value.encode()  # raises for half a character
    return value


def texts(value: object) -> tuple[str, ...]:
    """Return a list of texts."""
    if not isinstance(value, list):
        raise TypeError("not a list")
    return tuple(map(text, value))


def count(value: object) -> int:
    """Return a count."""
    return whole(value, most=MOST)


def positive(value: object) -> int:
    """Return a count of one at least: what others are divided by."""
    if count(value) == 0:
        raise ValueError("not 1 or more")
    return count(value)


def byte_count(value: object) -> int:
    """Return a size in bytes."""
    return whole(value, most=MOST_BYTES)


def number(value: object) -> float:
    """Return a finite number."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError("not a number")
    if not -float("inf") < value < float("inf"):
        raise ValueError("not a finite number")
    return float(value)


def seconds(value: object) -> float:
    """Return a span of time in seconds."""
    span = number(value)
    if not 0 <= span <= MOST:
        raise ValueError("not a duration")
    return span


def duration(value: object) -> timedelta:
    """Return a duration, stored in seconds."""
    return timedelta(seconds=seconds(value))


def mapping(value: object) -> Mapping[str, Any]:
    """Return a map."""
    if not isinstance(value, Mapping):
        raise TypeError("not a map")
    return value


def time_column(name: str, field: str) -> Column:
    """Return a column of times."""
    return Column(name, field, parse_time, format_time)


def duration_column(name: str, field: str) -> Column:
    """Return a column of durations, stored in seconds."""
    return Column(name, field, duration, timedelta.total_seconds)


def whole(value: object, *, most: int) -> int:
    """Return a whole number from 0 up to the largest."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError("not a whole number")
    if not 0 <= value <= most:
        raise ValueError(f"not from 0 to {most:,}")
    return value


def _shown(value: object) -> str:
    shown = repr(value)
    return shown if len(shown) <= SHOWN else f"{shown[:SHOWN]}..."

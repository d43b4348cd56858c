"""Attributes of stored rows, and the fields they hold: one table for both directions."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any, Generic, NamedTuple, TypeVar

from pyanamo_async.core.stored.queue_key import format_time, parse_time
from pyanamo_async.core.values import Value, replace

Row = dict[str, Any]
Kind = TypeVar("Kind", bound=Value)


class Column(NamedTuple):
    """An attribute, the field that it holds, and how each becomes the other."""

    name: str
    field: str
    write: Callable[[Any], object] | None = None
    read: Callable[[Any], object] | None = None


class Columns(Generic[Kind]):
    """The columns of one kind of value. Fields that are as in `blank` are left out of a row."""

    def __init__(self, blank: Kind, *columns: Column) -> None:
        self._blank = blank
        self._columns = [(*each, getattr(blank, each.field)) for each in columns]

    def encode(self, value: Kind) -> Row:
        """Return the row of a value."""
        return {
            name: write(held) if write else held
            for name, field, write, _, default in self._columns
            if (held := getattr(value, field)) != default
        }

    def decode(self, row: Mapping[str, Any]) -> Kind:
        """Return the value of a row; unknown attributes are ignored."""
        known = {
            field: read(row[name]) if read else row[name] for name, field, _, read, _ in self._columns if name in row
        }
        return replace(self._blank, **known)


def time_column(name: str, field: str) -> Column:
    """Return a column of times."""
    return Column(name, field, format_time, parse_time)


def duration_column(name: str, field: str) -> Column:
    """Return a column of durations, stored in seconds."""
    return Column(name, field, timedelta.total_seconds, lambda seconds: timedelta(seconds=seconds))

"""Rows that cannot be read: the one place where stored rows become values, and what is written to bury a bad one.

1. Whatever a row holds, reading it gives a value or one `BadRow`: another program's row, or a damaged one, costs itself
   alone.
2. A row that is buried keeps all it had, except its state and place, when that was, and why.
3. A bad row is reported once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any, TypeVar

from pyanamo_async.core.items import State
from pyanamo_async.core.reasons import REASON_LENGTH
from pyanamo_async.core.stored.columns import Row
from pyanamo_async.core.stored.queue_key import format_time
from pyanamo_async.errors import BadRow

T = TypeVar("T")
MOST_TOLD = 1000  # bad rows that are remembered, so that each is told of once


def read_row(row: Mapping[str, Any], decode: Callable[[Mapping[str, Any]], T]) -> T:
    """Return what `decode` makes of a row.

    Raises:
        BadRow: it cannot be read.
    """
    try:
        return decode(row)
    except Exception as error:
        raise BadRow(row, _explain(error)) from error


def sort_rows(
    rows: Iterable[Mapping[str, Any]], decode: Callable[[Mapping[str, Any]], T]
) -> tuple[list[T], list[BadRow]]:
    """Return what `decode` makes of rows, and the rows that cannot be read."""
    good: list[T] = []
    bad: list[BadRow] = []
    for row in rows:
        try:
            good.append(read_row(row, decode))
        except BadRow as each:
            bad.append(each)
    return good, bad


def burial(bad: BadRow, *, now: datetime) -> Row:
    """Return the attributes that bury a row, without the shard of its queue."""
    time = format_time(now)
    reason = f"row cannot be read: {bad.why}"[:REASON_LENGTH]
    return {"ItemState": str(State.FAILED), "Queue_Key": time, "Done_Date": time, "Reason": reason}


class BadRows:
    """The bad rows that one store has met; `tell` is called once for each. `buried` counts those that claims buried."""

    def __init__(self) -> None:
        self.tell: Callable[[BadRow], None] = lambda _: None
        self.buried = 0
        self._known: set[str] = set()

    def __len__(self) -> int:
        """Return how many were met, up to a thousand."""
        return len(self._known)

    def note(self, bad: BadRow) -> None:
        """Note a bad row that was skipped or buried."""
        if bad.row_id not in self._known and len(self._known) < MOST_TOLD:
            self._known.add(bad.row_id)
            self.tell(bad)

    def skip(self, rows: Iterable[Mapping[str, Any]], decode: Callable[[Mapping[str, Any]], T]) -> list[T]:
        """Return what `decode` makes of rows, without the bad ones."""
        good, bad = sort_rows(rows, decode)
        for each in bad:
            self.note(each)
        return good


def _explain(error: Exception) -> str:
    """Return what is wrong in one printable line."""
    text = f"{error.args[0]} is missing" if type(error) is KeyError else str(error) or repr(error)
    return text.encode("ascii", "backslashreplace").decode().replace("\n", " ")

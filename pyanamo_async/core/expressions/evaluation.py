"""Evaluate expressions, in three-valued logic.

1. A test of a task is true, false, or unknown (None), and a task matches if its test is true.
2. A comparison with a missing value is unknown, and so is its opposite: `not (exit == 1)` does not match a task without
   `exit`. Only `missing(exit)` does.
3. `and` is false if one part is, `or` true if one part is, whatever is unknown (Kleene's logic, as in SQL).
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from pyanamo_async.core.expressions.fields import Scalar
from pyanamo_async.core.expressions.literals import as_number
from pyanamo_async.core.expressions.view import TaskView

Test = Callable[[TaskView], bool | None]
Read = Callable[[TaskView], Scalar | None]

COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_OF_UNLIKE = {"==": False, "!=": True}  # a number and a text that is none; which is less is unknown


def all_of(parts: Sequence[Test]) -> Test:
    """Test whether all parts are true."""
    return parts[0] if len(parts) == 1 else lambda view: _combine((part(view) for part in parts), decisive=False)


def any_of(parts: Sequence[Test]) -> Test:
    """Test whether one part is true."""
    return parts[0] if len(parts) == 1 else lambda view: _combine((part(view) for part in parts), decisive=True)


def negation(part: Test) -> Test:
    """Test whether a part is false."""

    def test(view: TaskView) -> bool | None:
        known = part(view)
        return None if known is None else not known

    return test


def is_missing(read: Read) -> Test:
    """Test whether a task has no such value; never unknown."""
    return lambda view: read(view) is None


def comparison(left: Read, sign: str, right: Read) -> Test:
    """Compare two values; a text beside a number counts as a number if it is one."""
    compare = COMPARISONS[sign]

    def test(view: TaskView) -> bool | None:
        one, other = left(view), right(view)
        if one is None or other is None:
            return None
        if isinstance(one, str) is not isinstance(other, str):
            one, other = as_number(one), as_number(other)
            if one is None or other is None:
                return _OF_UNLIKE.get(sign)
        return compare(one, other)

    return test


def numeric(read: Read) -> Read:
    """Read a value as a number where it is one."""

    def read_number(view: TaskView) -> Scalar | None:
        value = read(view)
        number = as_number(value)
        return value if number is None else number

    return read_number


def constant(value: Scalar) -> Read:
    """Read always the same value."""
    return lambda _: value


def search(read: Read, pattern: re.Pattern[str]) -> Test:
    """Test whether a text contains what a regular expression describes."""

    def test(view: TaskView) -> bool | None:
        text = read(view)
        return None if text is None else pattern.search(str(text)) is not None

    return test


def _combine(results: Iterable[bool | None], *, decisive: bool) -> bool | None:
    known: bool | None = not decisive
    for result in results:
        if result is decisive:
            return decisive
        if result is None:
            known = None
    return known

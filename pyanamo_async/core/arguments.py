"""Check arguments of the public API before anything runs: a wrong type must not cost an item its attempts."""

from __future__ import annotations

from datetime import timedelta

from pyanamo_async.errors import UsageError

NAMES = {int: "a whole number", str: "text", bool: "True or False", timedelta: "a timedelta"}


def check_type(name: str, value: object, kind: type, *, optional: bool = False) -> None:
    """Raise `UsageError` unless a value is of the type, or None where that is allowed; a bool is no number."""
    is_right = type(value) is bool if kind is bool else isinstance(value, kind) and not isinstance(value, bool)
    if not is_right and not (optional and value is None):
        expected = NAMES.get(kind, f"a {kind.__name__}")
        raise UsageError(f"`{name}` is {value!r}", hint=f"give {expected}{', or None' if optional else ''}")

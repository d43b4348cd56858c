"""Check arguments of the public API before anything runs: a wrong type must not cost an item its attempts."""

from __future__ import annotations

from datetime import timedelta
from enum import StrEnum
from numbers import Real
from types import NoneType, UnionType
from typing import get_args, get_origin, get_type_hints

from pyanamo_async.errors import UsageError

NAMES = {int: "a whole number", Real: "a number", str: "text", bool: "True or False", timedelta: "a timedelta"}


def check_fields(value: object) -> None:
    """Raise `UsageError` unless the fields of a value have their types, and no duration is negative."""
    for name, kind in get_type_hints(type(value)).items():
        held = getattr(value, name)
        check_type(name, held, kind)
        if isinstance(held, timedelta) and held < timedelta():
            raise UsageError(f"`{name}` is negative", hint="give at least 0")


def check_type(name: str, value: object, annotation: type | UnionType) -> None:
    """Raise `UsageError` unless a value is of the type, or None where that is allowed; a bool is no number."""
    kind, *rest = get_args(annotation) if isinstance(annotation, UnionType) else [get_origin(annotation) or annotation]
    kinds = kind, *(each for each in rest if each is not NoneType)
    is_right = type(value) is bool if kind is bool else isinstance(value, kinds) and not isinstance(value, bool)
    optional = NoneType in rest
    if not is_right and not (optional and value is None):
        expected = " or ".join(map(_called, kinds))
        raise UsageError(f"`{name}` is {value!r}", hint=f"give {expected}{', or None' if optional else ''}")


def _called(kind: type) -> str:
    choices = " or ".join(repr(str(each)) for each in kind) if issubclass(kind, StrEnum) else ""
    return choices or NAMES.get(kind, f"a {kind.__name__}")

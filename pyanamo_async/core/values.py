"""The base class of values that cross rooms: frozen, equal by content, and cheap to create and to copy.

A worker creates about twenty values for each item. A frozen dataclass takes 2 us to create and 7 us to copy with a
change, because its `__init__` and `replace` are Python; a msgspec Struct takes 0.2 us for either. Values never form
cycles, so the garbage collector skips them (`gc=False`). What is created once, or changes, is a dataclass.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, dataclass_transform

from msgspec import Struct

if TYPE_CHECKING:
    from dataclasses import replace  # mypy checks the arguments of this one against the fields
else:
    from msgspec.structs import replace

__all__ = ["Value", "replace"]


@dataclass_transform(frozen_default=True)
class Value(Struct, frozen=True, gc=False):
    """A frozen value with fields as in a dataclass. Defaults are shared, so they must be immutable."""

"""What values are made of that cross rooms: frozen, equal when all they hold is, and cheap to make and to change.

A worker makes some twenty for every item. A frozen dataclass takes 2 us to make and 7 to copy with a change, because
its `__init__` and `replace` are Python; these take 0.2 us for either. Nothing a value holds leads back to it, so the
garbage collector need not look at them (`gc=False`). What is made once, or changes, stays a dataclass.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, dataclass_transform

from msgspec import Struct

if TYPE_CHECKING:
    from dataclasses import replace  # of this one, mypy checks what is changed against the fields
else:
    from msgspec.structs import replace

__all__ = ["Value", "replace"]


@dataclass_transform(frozen_default=True)
class Value(Struct, frozen=True, gc=False):
    """The base of values. Fields are annotated as in a dataclass; a default is shared, so it is a value itself."""

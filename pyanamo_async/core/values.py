"""What values are made of that cross rooms: frozen, equal when all they hold is, and cheap to make and to change.

A worker makes some twenty for every item. A frozen dataclass takes 2 us to make and 7 to copy with a change, because
its `__init__` and `replace` are Python; these take 0.2 us for either. Nothing a value holds leads back to it, so the
garbage collector need not look at them (`gc=False`). What is made once, or changes, stays a dataclass.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, dataclass_transform

# msgspec takes `typing_extensions` where it finds it, but does without (as on Python 3.13, where nothing of ours brings
# it along). To decode we never ask it, and its import would be twice as long as msgspec's own: 40 ms of every command.
_found: object = sys.modules.setdefault("typing_extensions", None)  # type: ignore[arg-type]  # None: not to be imported
try:
    from msgspec import Struct
finally:
    if _found is None:
        del sys.modules["typing_extensions"]

if TYPE_CHECKING:
    from dataclasses import replace  # of this one, mypy checks what is changed against the fields
else:
    from msgspec.structs import replace

__all__ = ["Value", "replace"]


@dataclass_transform(frozen_default=True)
class Value(Struct, frozen=True, gc=False):
    """The base of values. Fields are annotated as in a dataclass; a default is shared, so it is a value itself."""

"""The budget of memory as a person gives it: a size, or a share of what there is."""

from __future__ import annotations

import re
from enum import StrEnum

from pyanamo_async.core.text.byte_sizes import parse_size
from pyanamo_async.errors import UsageError

_SHARE = re.compile(r"(\d{1,3}(?:\.\d{1,3})?) *%")
WHOLE = 100
USABLE = 0.95  # of all memory; the rest is for the worker, and for what the kernel needs
LEAST_BYTES = 1 << 20  # of a need or a budget: who writes `30` means no bytes
FIRST_FEW = 4  # of unknown need, which "auto" starts at a time


class Auto(StrEnum):
    """As many items at a time as have room."""

    AUTO = "auto"


def parse_budget(text: str | int, usable_bytes: int | None) -> int | None:
    """Return a size, in bytes or like `12G`, or a share like `90%` of what is usable; None for one of the unknown.

    Raises:
        UsageError: it is neither, or less than 1 MiB.
    """
    share = None if isinstance(text, int) else _SHARE.fullmatch(text.strip())
    try:
        size = text if isinstance(text, int) else float(share[1]) if share else parse_size(text)
    except ValueError:
        size = 0
    if not 0 < size <= WHOLE if share else size < LEAST_BYTES:
        raise UsageError(f"`memory` is '{text}'", hint="give a size like 12G, or a share like 90%")
    if share:
        return None if usable_bytes is None else int(usable_bytes * size / WHOLE)
    return int(size)


def share_bytes(budget_bytes: int | None, *, at_once: int, is_careful: bool) -> int:
    """Return what a task counts as before anything is known of the step: an equal share, or a larger one if careful."""
    return 0 if budget_bytes is None else budget_bytes // (min(at_once, FIRST_FEW) if is_careful else at_once)

"""How much output a record may hold.

A row stops at 400 KB and is charged by its whole size at every write, so output has a budget per item, shared by the
tasks: as much as anybody reads at a glance for a few, less when an item has many.
"""

from __future__ import annotations

INLINE_BYTES = 2048  # of one stream of one task
ITEM_OUTPUT_BYTES = 64 * 1024  # of all streams of all tasks together
STREAMS = 2


def inline_bytes(tasks: int) -> int:
    """Tell how many bytes of each stream a record may hold when its item has `tasks` tasks: 2,048 for up to 16."""
    return min(INLINE_BYTES, ITEM_OUTPUT_BYTES // (STREAMS * tasks))

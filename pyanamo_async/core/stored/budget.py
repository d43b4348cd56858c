"""How much a record may hold of what a task printed.

DynamoDB limits a row to 400 KB and charges each write by the size of the whole row. So output has a budget for each
item, shared by its tasks: enough to read at a glance when they are few, less when they are many.
"""

from __future__ import annotations

INLINE_BYTES = 2048  # of one stream of one task
ITEM_OUTPUT_BYTES = 64 * 1024  # of all streams of all tasks together
STATUS_BYTES = 240  # of the sentence that says why a stream was not stored
STREAMS = 2


def inline_bytes(tasks: int) -> int:
    """Return how many bytes of each stream a record may hold when its item has `tasks` tasks: 2,048 for up to 16."""
    return min(INLINE_BYTES, ITEM_OUTPUT_BYTES // (STREAMS * tasks))

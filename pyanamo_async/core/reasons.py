"""The reasons that an item keeps: the latest, and a bounded history of older ones."""

from __future__ import annotations

from pyanamo_async.core.items import Item
from pyanamo_async.core.values import replace

HISTORY_LENGTH = 5  # older reasons that an item keeps
REASON_LENGTH = 160  # characters of a reason


def with_reason(item: Item, reason: str) -> Item:
    """Make `reason` the latest, and the one before it the last line of the bounded history."""
    older = (*item.history, item.reason) if item.reason else item.history
    return replace(item, reason=latest(item, reason), history=older[-HISTORY_LENGTH:])


def latest(item: Item, reason: str) -> str:
    """Return a reason as an item keeps it: with the number of its attempt, if there was one."""
    return f"{f'attempt {item.attempt}: ' if item.attempt else ''}{reason}"[:REASON_LENGTH] if reason else ""

"""What tests put at our own ports, and short ways to write items."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from pyanamo_async.core.items import Item, Task

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


class FakeClock:
    """Time that passes only when told to."""

    def __init__(self, now: datetime = NOON) -> None:
        self._start = self._now = now

    def now(self) -> datetime:
        return self._now

    def monotonic(self) -> float:
        return (self._now - self._start).total_seconds()

    def boottime(self) -> float:
        return self.monotonic()

    def advance(self, span: timedelta) -> datetime:
        self._now += span
        return self._now


def an_item(item_id: str, *, script: str = "true", nested: Sequence[str] = (), **fields: Any) -> Item:  # noqa: ANN401 # any field of Item
    """Make an item of one script, or a nested one of several."""
    scripts = nested or (script,)
    tasks = tuple(Task(f"Task_{number}", text) for number, text in enumerate(scripts))
    return Item(item_id=item_id, **{"sample": "sample", "tasks": tasks, "nested": bool(nested), **fields})

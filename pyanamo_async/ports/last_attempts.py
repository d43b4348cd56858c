"""The table's setting of last attempts: which items are left to workers on machines that nobody takes away."""

from __future__ import annotations

from typing import Protocol


class LastAttempts(Protocol):
    """How often an item's machine may be lost before the item is left to workers that take last attempts."""

    async def last_attempts_after(self) -> int | None:
        """Return that number as last written; None if no item is left to them, as in a new table."""
        ...

    async def leave_last_attempts(self, after: int | None) -> None:
        """Write that number, 1 or more, or None; items that are left to them already stay so."""
        ...

"""Output: what carries what a script prints, and keeps it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime
from typing import Protocol

from pyanamo_async.core.values import Value


class OutputKey(Value):
    """Whose output it is: no two attempts ever share one."""

    table: str
    item_id: str
    task: str
    attempt: int
    stream: str


class Sink(Protocol):
    """Takes the output of one stream of one attempt."""

    async def write(self, chunk: bytes) -> None:
        """Take a chunk; waits while the storage is slower than the script, so that memory stays bounded.

        Raises:
            OutputError: it cannot be kept; the sink is finished and has cleaned up behind it.
        """
        ...

    async def close(self) -> str:
        """Make all of it durable and return its location; only then may the task count as done."""
        ...

    async def abort(self) -> None:
        """Throw it away and leave nothing behind; harmless when repeated, or after `close`."""
        ...


class Unfinished(Value):
    """Output under way: its location when it will be whole, since when nothing came, and what its store calls it."""

    location: str
    since: datetime
    name: str


class OutputStore(Protocol):
    """Carries output, never interprets it."""

    async def check(self) -> None:
        """Find out whether output can be written at all.

        Raises:
            BucketMissing, OutputError, Denied: it cannot.
        """
        ...

    def open(self, key: OutputKey) -> Sink:
        """Start a sink; nothing is created or sent before there is something to keep."""
        ...

    def location(self, key: OutputKey) -> str:
        """Tell where the output of a key stands, if it was kept for itself: reading finds out."""
        ...

    def read(self, location: str, *, start: int = 0) -> AsyncIterator[bytes]:
        """Stream what stands at a location, decompressed, from byte `start` of it, in constant memory.

        Raises:
            OutputMissing: there is nothing.
        """
        ...

    def unfinished(self, table: str) -> AsyncIterator[Unfinished]:
        """List what of a table's output is under way, or was when its worker was killed; what checks left too."""
        ...

    async def discard(self, unfinished: Unfinished) -> None:
        """Remove what is unfinished; harmless when it is gone. A sink that still writes to it fails."""
        ...

    async def remove(self, key: OutputKey) -> None:
        """Remove the output of a key that was kept for itself, and what had to be made for it; harmless when gone."""
        ...

    async def close(self) -> None:
        """Let go of connections and temporary files; harmless when repeated."""
        ...

"""Output: where the text that scripts print is kept."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime
from typing import Protocol

from pyanamo_async.core.values import Value


class OutputKey(Value):
    """Identify the output of one stream of one attempt; no two attempts share a key."""

    table: str
    item_id: str
    task: str
    attempt: int
    stream: str


class Sink(Protocol):
    """Takes the output of one stream of one attempt."""

    async def write(self, chunk: bytes) -> None:
        """Take a chunk; wait while the storage is slower than the script, so that memory stays bounded.

        Raises:
            OutputError: the output cannot be kept; the sink is finished and has cleaned up.
        """
        ...

    async def close(self) -> str:
        """Make the output durable and return its location; only then may the task count as done."""
        ...

    async def abort(self) -> None:
        """Discard the output and leave nothing behind; harmless when repeated, or after `close`."""
        ...


class UnfinishedOutput(Value):
    """Output that is being written, or was when its worker was killed.

    `location` is where it will be when it is complete, `since` the time of its last write or of its start, and `name`
    how its store finds it.
    """

    location: str
    since: datetime
    name: str


class OutputStore(Protocol):
    """Store output, and never interpret it."""

    async def check(self) -> None:
        """Check whether output can be written.

        Raises:
            BucketMissing, OutputError, Denied: it cannot.
        """
        ...

    def open(self, key: OutputKey) -> Sink:
        """Open a sink; nothing is created or sent before there is something to keep."""
        ...

    def location(self, key: OutputKey) -> str:
        """Return the location of a key's output, if it was stored apart from the record: reading finds out."""
        ...

    def read(self, location: str, *, start: int = 0) -> AsyncIterator[bytes]:
        """Stream the output at a location, decompressed, from byte `start`, in constant memory.

        Raises:
            OutputMissing: there is no output at that location.
        """
        ...

    def unfinished(self, table: str) -> AsyncIterator[UnfinishedOutput]:
        """List the unfinished output of a table, and what interrupted checks left."""
        ...

    async def discard(self, unfinished: UnfinishedOutput) -> None:
        """Remove unfinished output; harmless when it is gone. A sink that still writes to it fails."""
        ...

    async def remove(self, key: OutputKey) -> None:
        """Remove the stored output of a key, and the folders made for it; harmless when it is gone."""
        ...

    async def close(self) -> None:
        """Release connections and temporary files; harmless when repeated."""
        ...

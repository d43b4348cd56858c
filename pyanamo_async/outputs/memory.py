"""Output in memory: the reference of the contract, and what tests use."""

from __future__ import annotations

from collections.abc import AsyncIterator

from pyanamo_async.errors import OutputMissing
from pyanamo_async.outputs.keys import path
from pyanamo_async.ports import OutputKey, Sink, Unfinished

SCHEME = "memory:"


class MemoryOutputs:
    """An `OutputStore` that holds everything in `kept`, by location."""

    def __init__(self) -> None:
        self.kept: dict[str, bytes] = {}

    async def check(self) -> None:
        """Find nothing wrong."""

    def open(self, key: OutputKey) -> Sink:
        """Start a sink."""
        return _MemorySink(self.kept, self.location(key))

    def location(self, key: OutputKey) -> str:
        """Tell where the output of a key stands."""
        return SCHEME + path(key)

    async def read(self, location: str, *, start: int = 0) -> AsyncIterator[bytes]:
        """Stream what stands at a location."""
        if location not in self.kept:
            raise OutputMissing(f"there is no output at {location}")
        yield self.kept[location][start:]

    async def unfinished(self, table: str) -> AsyncIterator[Unfinished]:  # noqa: ARG002
        """List nothing: what is not finished is nobody's but its sink's."""
        nothing: tuple[Unfinished, ...] = ()
        for each in nothing:
            yield each

    async def discard(self, unfinished: Unfinished) -> None:
        """Remove nothing: there is nothing to remove."""

    async def remove(self, key: OutputKey) -> None:
        """Forget the output of a key."""
        self.kept.pop(self.location(key), None)

    async def close(self) -> None:
        """Let go of nothing: what was kept can still be read."""


class _MemorySink:
    def __init__(self, kept: dict[str, bytes], location: str) -> None:
        self._kept = kept
        self._location = location
        self._taken = bytearray()

    async def write(self, chunk: bytes) -> None:
        self._taken += chunk

    async def close(self) -> str:
        self._kept[self._location] = bytes(self._taken)
        return self._location

    async def abort(self) -> None:
        self._taken.clear()

"""Output in memory: the reference of the contract, and the store of tests."""

from __future__ import annotations

from collections.abc import AsyncIterator

from pyanamo_async.errors import OutputMissing
from pyanamo_async.outputs.keys import output_path, safe_name
from pyanamo_async.ports import ObjectKey, OutputKey, Sink, StoredObject, UnfinishedOutput

SCHEME = "memory:"


class MemoryOutputs:
    """An `OutputStore` that holds everything in `kept`, by location."""

    def __init__(self) -> None:
        self.kept: dict[str, bytes] = {}

    async def check(self) -> None:
        """Succeed."""

    def open(self, key: OutputKey) -> Sink:
        return _MemorySink(self.kept, self.location(key))

    def location(self, key: OutputKey) -> str:
        return SCHEME + output_path(key)

    async def read(self, location: str, *, start: int = 0) -> AsyncIterator[bytes]:
        if location not in self.kept:
            raise OutputMissing(f"there is no output at {location}")
        yield self.kept[location][start:]

    async def unfinished(self, table: str) -> AsyncIterator[UnfinishedOutput]:  # noqa: ARG002
        """Yield nothing: unfinished output is known to its sink only."""
        nothing: tuple[UnfinishedOutput, ...] = ()
        for each in nothing:
            yield each

    async def discard(self, unfinished: UnfinishedOutput) -> None:
        """Do nothing: there is never any unfinished output."""

    async def remove(self, location: str) -> None:
        self.kept.pop(location, None)


class MemoryObjects:
    """An `ObjectStore` that holds everything in `kept`, by location."""

    def __init__(self) -> None:
        self.kept: dict[str, bytes] = {}

    def open(self, key: ObjectKey) -> Sink:
        return _MemorySink(self.kept, self.location(key))

    def location(self, key: ObjectKey) -> str:
        return f"{SCHEME}{'/'.join(map(safe_name, (key.table, key.item_id, key.task)))}/{key.path}"

    async def read(self, location: str, *, start: int = 0) -> AsyncIterator[bytes]:
        if location not in self.kept:
            raise OutputMissing(f"there is nothing at {location}")
        yield self.kept[location][start:]

    async def below(self, location: str) -> AsyncIterator[StoredObject]:
        for each in self._listed(location):
            yield each

    async def of_table(self, table: str) -> AsyncIterator[StoredObject]:
        for each in self._listed(f"{SCHEME}{safe_name(table)}/"):
            yield each

    async def remove(self, location: str) -> None:
        self.kept.pop(location, None)

    def _listed(self, folder: str) -> list[StoredObject]:
        found = [each for each in sorted(self.kept) if each.startswith(folder)]
        return [StoredObject(each.removeprefix(folder), each, len(self.kept[each])) for each in found]


class _MemorySink:
    def __init__(self, kept: dict[str, bytes], location: str) -> None:
        self._kept = kept
        self._location = location
        self._data = bytearray()

    async def write(self, chunk: bytes) -> None:
        self._data += chunk

    async def close(self) -> str:
        self._kept[self._location] = bytes(self._data)
        return self._location

    async def abort(self) -> None:
        self._data.clear()

"""Where the text that scripts print is stored, and files of tasks beside it, and how both are read back."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime
from typing import Protocol

from pyanamo_async.core.values import Value


class OutputKey(Value):
    """Identifies one stream of one attempt; no two attempts share a key.

    Nor does an attempt at an item that was deleted: its item had another `mark`.
    """

    table: str
    item_id: str
    task: str
    attempt: int
    stream: str
    mark: str = ""


class Sink(Protocol):
    """Stores the output of one stream of one attempt. After an error or a cancellation, `abort` it."""

    async def write(self, chunk: bytes) -> None:
        """Store a chunk; wait while the storage is slower than the script, so that memory stays bounded.

        Raises:
            OutputError: the output cannot be stored.
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

    `location` is where it will be when complete, `since` the time of its last write, `name` what its store calls it.
    """

    location: str
    since: datetime
    name: str


class OutputStore(Protocol):
    """Stores output and reads it back; never interprets it."""

    async def check(self) -> None:
        """Check that output can be written.

        Raises:
            BucketMissing, OutputError, Denied: output cannot be written.
        """
        ...

    def open(self, key: OutputKey) -> Sink:
        """Return a sink; nothing is created or sent before the first chunk."""
        ...

    def location(self, key: OutputKey) -> str:
        """Return the location of a key's output, which exists only if the output was too large for its record."""
        ...

    def read(self, location: str, *, start: int = 0) -> AsyncIterator[bytes]:
        """Stream the output at a location, decompressed, from byte `start` of it, in constant memory.

        Raises:
            OutputMissing: the location holds no output.
        """
        ...

    def unfinished(self, table: str) -> AsyncIterator[UnfinishedOutput]:
        """Yield a table's unfinished output, including what interrupted checks left behind."""
        ...

    async def discard(self, unfinished: UnfinishedOutput) -> None:
        """Remove unfinished output; harmless when it is gone. A sink that still writes to it fails."""
        ...

    async def remove(self, location: str) -> None:
        """Remove the output at a location, with folders that become empty; harmless when it is gone."""
        ...


class ObjectKey(Value):
    """Identifies an object of a task; `path` is relative to the task, of names that `core.object_names` makes."""

    table: str
    item_id: str
    task: str
    path: str


class StoredObject(Value):
    """An object below a key: its path relative to that, its location, its size, and when it was stored, if known."""

    path: str
    location: str
    size_bytes: int
    since: datetime | None = None


class ObjectStore(Protocol):
    """Stores objects and reads them back, byte by byte."""

    def open(self, key: ObjectKey) -> Sink:
        """Return a sink; the object appears, whole, when that is closed, instead of one that has the same key."""
        ...

    def location(self, key: ObjectKey) -> str:
        """Return the location of a key's object, or, with a path that ends in `/`, of the objects below it."""
        ...

    def read(self, location: str, *, start: int = 0) -> AsyncIterator[bytes]:
        """Stream the object at a location from byte `start` of it, in constant memory.

        Raises:
            OutputMissing: the location holds no object.
        """
        ...

    def below(self, location: str) -> AsyncIterator[StoredObject]:
        """Yield all objects whose location begins with this one, which ends in `/`; paths are relative to it.

        All are there whose sink was closed before the call.
        """
        ...

    def of_table(self, table: str) -> AsyncIterator[StoredObject]:
        """Yield all objects of a table, and whatever else is stored beside them; paths are relative to the table."""
        ...

    async def remove(self, location: str) -> None:
        """Remove the object at a location, with folders that become empty; harmless when it is gone."""
        ...

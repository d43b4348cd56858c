"""Objects: files of tasks that are stored beside their output, and read back."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime
from typing import Protocol

from pyanamo_async.core.values import Value
from pyanamo_async.ports.output import Sink


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

    def below(self, key: ObjectKey) -> AsyncIterator[StoredObject]:
        """Yield all objects whose path begins with that of `key`, which ends in `/`.

        All are there whose sink was closed before the call.
        """
        ...

    def of_table(self, table: str) -> AsyncIterator[StoredObject]:
        """Yield all objects of a table, and whatever else is stored beside them; paths are relative to the table."""
        ...

    async def remove(self, location: str) -> None:
        """Remove the object at a location, with folders that become empty; harmless when it is gone."""
        ...

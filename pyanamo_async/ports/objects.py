"""Objects: files of tasks that are stored beside their output, and read back."""

from __future__ import annotations

from collections.abc import AsyncIterator
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
    """An object below a key: its path relative to that, its location, and its size."""

    path: str
    location: str
    size_bytes: int


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

    async def remove(self, key: ObjectKey) -> None:
        """Remove an object, with folders that become empty; harmless when it is gone."""
        ...

"""An object store whose requests may arrive after their sender died, in any order."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field

from pyanamo_async.outputs.memory import MemoryObjects
from pyanamo_async.ports import ObjectKey, Sink, StoredObject


class Died(Exception):
    """The sender died within a request: nobody hears of its answer."""


@dataclass
class LateObjects:
    """What is stored, and the requests of dead senders that are still under way."""

    objects: MemoryObjects = field(default_factory=MemoryObjects)
    under_way: list[Callable[[], object]] = field(default_factory=list)

    def arrive(self, number: int) -> None:
        """Let one of the requests under way arrive, if there are any."""
        if self.under_way:
            self.under_way.pop(number % len(self.under_way))()


@dataclass
class Sender:
    """An `ObjectStore` as one worker has it, who dies in the request after `requests_left` others."""

    store: LateObjects
    requests_left: int | None = None

    def open(self, key: ObjectKey) -> Sink:
        return _LateSink(self, key)

    def location(self, key: ObjectKey) -> str:
        return self.store.objects.location(key)

    def read(self, location: str, *, start: int = 0) -> AsyncIterator[bytes]:
        return self.store.objects.read(location, start=start)

    def below(self, location: str) -> AsyncIterator[StoredObject]:
        return self.store.objects.below(location)

    def of_table(self, table: str) -> AsyncIterator[StoredObject]:
        return self.store.objects.of_table(table)

    async def remove(self, location: str) -> None:
        self.send(lambda: self.store.objects.kept.pop(location, None))

    def send(self, request: Callable[[], object]) -> None:
        """Carry out a request, or die in it: then it arrives whenever it does, or never."""
        if self.requests_left == 0:
            self.store.under_way.append(request)
            raise Died
        if self.requests_left is not None:
            self.requests_left -= 1
        request()


class _LateSink:
    def __init__(self, sender: Sender, key: ObjectKey) -> None:
        self._sender, self._place = sender, sender.location(key)
        self._data = bytearray()

    async def write(self, chunk: bytes) -> None:
        self._data += chunk

    async def close(self) -> str:
        kept, place, data = self._sender.store.objects.kept, self._place, bytes(self._data)
        self._sender.send(lambda: kept.__setitem__(place, data))
        return place

    async def abort(self) -> None:
        self._data.clear()

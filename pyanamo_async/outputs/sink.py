"""What all durable sinks share: compress, and clean up after an error or a cancellation."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Protocol, TypeVar

from pyanamo_async.host.waiting import shielded
from pyanamo_async.outputs.compression import Compressor

T = TypeVar("T")


class Target(Protocol):
    """Where the compressed bytes of one output go."""

    async def put(self, data: bytes) -> None:
        """Take all of these bytes; wait while the storage is slower."""
        ...

    async def finish(self) -> str:
        """Make the output durable and return its location."""
        ...

    async def discard(self) -> None:
        """Remove all traces of the output; never raise."""
        ...


class GzipSink:
    """A `ports.Sink` that writes gzip to a target, and discards the target on any error or cancellation."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self._compressor = Compressor()
        self._ended = False

    async def write(self, chunk: bytes) -> None:
        """Compress a chunk and pass on what is ready."""
        await abort_on_failure(self.abort, self._write(chunk))

    async def close(self) -> str:
        """Make the output durable and return its location."""
        location = await abort_on_failure(self.abort, self._finish())
        self._ended = True
        return location

    async def abort(self) -> None:
        """Discard the output."""
        if not self._ended:
            self._ended = True
            await shielded(self._target.discard())

    async def _write(self, chunk: bytes) -> None:
        if ready := await self._compressor.feed(chunk):
            await self._target.put(ready)

    async def _finish(self) -> str:
        await self._target.put(await self._compressor.end())
        return await self._target.finish()


async def abort_on_failure(abort: Callable[[], Awaitable[None]], work: Awaitable[T]) -> T:
    """Await work; abort when it fails or is cancelled."""
    try:
        return await work
    except BaseException:
        await abort()
        raise

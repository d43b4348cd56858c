"""What all durable sinks do alike: compress, and leave nothing behind when something goes wrong."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Protocol, TypeVar

from pyanamo_async.outputs.compression import Compressor

Result = TypeVar("Result")


class Target(Protocol):
    """Where the compressed bytes of one output go."""

    async def put(self, data: bytes) -> None:
        """Take bytes, whole; waits while the storage is behind."""
        ...

    async def finish(self) -> str:
        """Make all of it durable and return its location."""
        ...

    async def discard(self) -> None:
        """Remove all traces of it; never raises."""
        ...


class GzipSink:
    """A `ports.Sink`: gzip to a target, which is discarded on any error and when cancelled."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self._compressor = Compressor()
        self._ended = False

    async def write(self, chunk: bytes) -> None:
        """Take a chunk."""
        await undone_by(self.abort, self._write(chunk))

    async def close(self) -> str:
        """Make all of it durable and return its location."""
        location = await undone_by(self.abort, self._finish())
        self._ended = True
        return location

    async def abort(self) -> None:
        """Throw it away."""
        if not self._ended:
            self._ended = True
            await to_its_end(self._target.discard())

    async def _write(self, chunk: bytes) -> None:
        if ready := await self._compressor.feed(chunk):
            await self._target.put(ready)

    async def _finish(self) -> str:
        await self._target.put(await self._compressor.end())
        return await self._target.finish()


async def undone_by(abort: Callable[[], Awaitable[None]], work: Awaitable[Result]) -> Result:
    """Await work; abort when it fails or is cancelled."""
    try:
        return await work
    except BaseException:
        await abort()
        raise


async def to_its_end(work: Coroutine[Any, Any, Result], *, at_most_s: float | None = None) -> Result:
    """Await work that must not be left half done; a cancellation meanwhile is raised when it is through.

    After a cancellation it has `at_most_s` seconds left, then it is cancelled too.
    """
    task = asyncio.ensure_future(work)
    cancelled = False
    while not task.done():
        try:
            await asyncio.wait([task], timeout=at_most_s if cancelled else None)
        except asyncio.CancelledError:
            cancelled = True
        else:
            task.cancel()  # its time is over, unless it is done
    if cancelled:
        await asyncio.gather(task, return_exceptions=True)  # what counts is that it is over
        raise asyncio.CancelledError
    return task.result()

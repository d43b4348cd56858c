"""What sinks of folders and buckets share: they compress, and discard what was not closed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyanamo_async.host.waiting import shielded
from pyanamo_async.outputs.compression import Compressor

if TYPE_CHECKING:
    from pyanamo_async.outputs.partial_file import PartialFile
    from pyanamo_async.outputs.upload import Upload


class GzipSink:
    """A `ports.Sink` that writes gzip to a target."""

    def __init__(self, target: PartialFile | Upload) -> None:
        self._target = target
        self._compressor = Compressor()
        self._ended = False

    async def write(self, chunk: bytes) -> None:
        """Compress a chunk and pass on what is ready."""
        if ready := await self._compressor.feed(chunk):
            await self._target.put(ready)

    async def close(self) -> str:
        """Make the output durable and return its location."""
        await self._target.put(await self._compressor.end())
        location = await self._target.finish()
        self._ended = True
        return location

    async def abort(self) -> None:
        """Discard the output."""
        if not self._ended:
            self._ended = True
            await shielded(self._target.discard())

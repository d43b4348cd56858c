"""Gzip, fast and in constant memory.

1. A sink writes one gzip member: browsers show nothing after the first.
2. An open output holds no compressor, which would take 200 KB for every stream of every task: blocks are deflated
   independently, as pigz does.
3. Reading accepts any gzip, also of several members.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

from isal import isal_zlib

from pyanamo_async.errors import OutputError
from pyanamo_async.host.threads import Threads
from pyanamo_async.host.waiting import shielded

if TYPE_CHECKING:
    from pyanamo_async.outputs.partial_file import PartialFile
    from pyanamo_async.outputs.upload import Upload

BLOCK_BYTES = 128 * 1024  # passing a block to a thread takes 0.1 ms; larger blocks take memory in every open output
CHUNK_BYTES = 1 << 20  # the most that reading returns at a time: a few KB may decompress to gigabytes

THREADS = Threads("compression", os.cpu_count() or 1)

_HEADER = bytes.fromhex("1f8b 0800 00000000 04ff")  # deflate, no name, no time, fastest, unknown system
_LAST_BLOCK = bytes.fromhex("0300")
_GZIP, _RAW = 31, -15
_LEVEL = 1


class Compressor:
    """Compress chunks to one gzip member, in blocks that a thread deflates."""

    def __init__(self) -> None:
        self._held: list[bytes] = []
        self._held_bytes = 0
        self._total_bytes = 0
        self._crc = 0

    async def feed(self, chunk: bytes) -> bytes:
        """Add a chunk; return the compressed bytes that are ready, often none."""
        self._held.append(chunk)
        self._held_bytes += len(chunk)
        if self._held_bytes < BLOCK_BYTES:
            return b""
        return await THREADS.run(self._deflate, self._block())

    async def end(self) -> bytes:
        """Return the remaining compressed bytes."""
        rest = self._deflate(self._block())
        length = self._total_bytes % 2**32
        return rest + _LAST_BLOCK + self._crc.to_bytes(4, "little") + length.to_bytes(4, "little")

    def _block(self) -> list[bytes]:
        block, self._held, self._held_bytes = self._held, [], 0
        return block

    def _deflate(self, block: list[bytes]) -> bytes:
        header = b"" if self._total_bytes else _HEADER
        deflater = isal_zlib.compressobj(_LEVEL, isal_zlib.DEFLATED, _RAW)
        deflated = []
        for chunk in block:
            self._crc = isal_zlib.crc32(chunk, self._crc)
            self._total_bytes += len(chunk)
            deflated.append(deflater.compress(chunk))
        return b"".join([header, *deflated, deflater.flush(isal_zlib.Z_FULL_FLUSH)])


class PlainSink:
    """A `ports.Sink` that writes bytes as they are to a target."""

    def __init__(self, target: PartialFile | Upload) -> None:
        self._target = target
        self._ended = False

    async def write(self, chunk: bytes) -> None:
        await self._target.put(chunk)

    async def close(self) -> str:
        await self._target.put(await self._end())
        location = await self._target.finish()
        self._ended = True
        return location

    async def abort(self) -> None:
        if not self._ended:
            self._ended = True
            await shielded(self._target.discard())

    async def _end(self) -> bytes:
        return b""  # put all the same: an empty object is one


class GzipSink(PlainSink):
    """A `ports.Sink` that writes gzip to a target."""

    def __init__(self, target: PartialFile | Upload) -> None:
        super().__init__(target)
        self._compressor = Compressor()

    async def write(self, chunk: bytes) -> None:
        """Compress a chunk and pass on what is ready."""
        if ready := await self._compressor.feed(chunk):
            await self._target.put(ready)

    async def _end(self) -> bytes:
        return await self._compressor.end()


async def decompressed(chunks: AsyncIterator[bytes], *, start: int = 0) -> AsyncIterator[bytes]:
    """Decompress a stream of gzip members, from byte `start` of their content.

    Raises:
        OutputError: the stream is damaged, or ends within a member.
    """
    member = isal_zlib.decompressobj(_GZIP)  # an empty output has a member too
    async for chunk in chunks:
        rest = chunk
        while rest:
            if member.eof:
                member = isal_zlib.decompressobj(_GZIP)
            try:
                content = member.decompress(rest, CHUNK_BYTES)
            except isal_zlib.error as error:  # type: ignore[misc] # the stubs declare an instance
                raise OutputError("the stored output is damaged: it is not gzip", hint=str(error)) from error
            if len(content) > start:
                yield content[start:]
            start = max(0, start - len(content))
            rest = member.unused_data if member.eof else member.unconsumed_tail
    if not member.eof:
        raise OutputError("the stored output is damaged: its end is missing")

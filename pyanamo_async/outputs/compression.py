"""Gzip, fast and in constant memory.

1. A sink writes one gzip member: browsers show nothing after the first.
2. An open output holds no compressor, which would take 200 KB for every stream of every task: blocks are deflated
   independently, as pigz does. Each thread has one compressor, which a full flush resets; a new one for each block
   takes a quarter more CPU.
3. Reading accepts any gzip, also of several members.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator
from functools import partial

from isal import isal_zlib

from pyanamo_async.errors import OutputError

BLOCK_BYTES = 128 * 1024  # passing a block to a thread takes 0.1 ms; larger blocks take memory in every open output
CHUNK_BYTES = 1 << 20  # the most that reading returns at a time: a few KB may decompress to gigabytes

_HEADER = bytes.fromhex("1f8b 0800 00000000 04ff")  # deflate, no name, no time, fastest, unknown system
_LAST_BLOCK = bytes.fromhex("0300")
_GZIP, _RAW = 31, -15
_LEVEL = 1

_new_deflater = partial(isal_zlib.compressobj, _LEVEL, isal_zlib.DEFLATED, _RAW)


class _Deflater(threading.local):
    """The compressor of this thread; one that fails within a block is not used again."""

    def __init__(self) -> None:
        self._idle = [_new_deflater()]

    def deflate(self, block: list[bytes]) -> list[bytes]:
        deflater = self._idle.pop() if self._idle else _new_deflater()
        deflated = [*map(deflater.compress, block), deflater.flush(isal_zlib.Z_FULL_FLUSH)]
        self._idle.append(deflater)
        return deflated


_deflater = _Deflater()


class Compressor:
    """Compress chunks to one gzip member; a thread deflates one block while the next is gathered."""

    def __init__(self) -> None:
        self._held: list[bytes] = []
        self._held_bytes = 0
        self._total_bytes = 0
        self._crc = 0
        self._deflating: asyncio.Future[bytes] | None = None

    async def feed(self, chunk: bytes) -> bytes:
        """Add a chunk; return the compressed bytes that are ready, often none."""
        self._held.append(chunk)
        self._held_bytes += len(chunk)
        if self._held_bytes < BLOCK_BYTES:
            return b""
        ready = await self._ready()
        self._deflating = asyncio.get_running_loop().run_in_executor(None, self._deflate, self._block())
        return ready

    async def end(self) -> bytes:
        """Return the remaining compressed bytes."""
        ready = await self._ready()
        rest = self._deflate(self._block())
        length = self._total_bytes % 2**32
        return ready + rest + _LAST_BLOCK + self._crc.to_bytes(4, "little") + length.to_bytes(4, "little")

    async def _ready(self) -> bytes:
        return await self._deflating if self._deflating else b""

    def _block(self) -> list[bytes]:
        block, self._held, self._held_bytes = self._held, [], 0
        return block

    def _deflate(self, block: list[bytes]) -> bytes:
        header = b"" if self._total_bytes else _HEADER
        for chunk in block:
            self._crc = isal_zlib.crc32(chunk, self._crc)
            self._total_bytes += len(chunk)
        return b"".join([header, *_deflater.deflate(block)])


async def decompressed(chunks: AsyncIterator[bytes], *, start: int = 0) -> AsyncIterator[bytes]:
    """Decompress a stream of gzip members, from byte `start` of their content.

    Raises:
        OutputError: the stream is damaged, or ends within a member.
    """
    inflater = _Inflater()
    async for chunk in chunks:
        for content in inflater.feed(chunk):
            if len(content) > start:
                yield content[start:]
            start = max(0, start - len(content))
    inflater.end()


class _Inflater:
    def __init__(self) -> None:
        self._inflate = isal_zlib.decompressobj(_GZIP)
        self._in_member = True  # an empty output has a member too

    def feed(self, data: bytes) -> Iterator[bytes]:
        while data:
            if self._inflate.eof:
                self._inflate = isal_zlib.decompressobj(_GZIP)
            try:
                yield self._inflate.decompress(data, CHUNK_BYTES)
            except isal_zlib.error as error:  # type: ignore[misc] # the stubs declare an instance
                raise OutputError("the stored output is damaged: it is not gzip", hint=str(error)) from error
            data = self._inflate.unused_data if self._inflate.eof else self._inflate.unconsumed_tail
        self._in_member = not self._inflate.eof

    def end(self) -> None:
        if self._in_member:
            raise OutputError("the stored output is damaged: its end is missing")

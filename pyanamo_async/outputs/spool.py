"""Gather parts of uploads: in memory while the worker's budget lasts, in temporary files from then on.

No part waits for memory, so a hundred sinks that gather at once cannot block each other. Temporary files have no name:
nothing of them outlives the process, however it ends.
"""

from __future__ import annotations

import asyncio
import io
import tempfile

from aiofiles.threadpool import wrap
from aiofiles.threadpool.binary import AsyncFileIO

from pyanamo_async.outputs.disk import append, translated
from pyanamo_async.outputs.patience import Patience
from pyanamo_async.outputs.sink import to_its_end

SPOOL_BYTES = 64 * 1024 * 1024


class Spool:
    """The memory that all parts of a worker share."""

    def __init__(self, memory_bytes: int, patience: Patience) -> None:
        self.free_bytes = memory_bytes
        self.patience = patience

    def part(self) -> Part:
        """Begin to gather a part."""
        return Part(self)


class Part:
    """Some of the bytes of an output, until `close`."""

    def __init__(self, spool: Spool) -> None:
        self.size = 0
        self._spool = spool
        self._memory = io.BytesIO()
        self._reserved = 0
        self._file: io.FileIO | None = None

    async def append(self, data: bytes) -> None:
        """Add bytes.

        Raises:
            OutputError: there is no memory left, and for minutes no room on the disk.
        """
        if self._file is None and self._spool.free_bytes >= len(data):
            self._spool.free_bytes -= len(data)
            self._reserved += len(data)
            self._memory.write(data)
            self.size += len(data)
            return
        if self._file is None:
            await self._move_to_file()
        await self._append_to_file(data)

    def body(self) -> io.BytesIO | io.FileIO:
        """Hand it out as a file, from its beginning."""
        body = self._file or self._memory
        body.seek(0)
        return body

    def close(self) -> None:
        """Give back memory and disk; harmless when repeated."""
        self._free_memory()
        if self._file is not None:
            self._file.close()

    async def _move_to_file(self) -> None:
        await self._spool.patience.through(lambda: to_its_end(self._make_file()))
        self.size = 0
        await self._append_to_file(self._memory.getvalue())
        self._free_memory()

    async def _make_file(self) -> None:
        with translated(_place()):
            self._file = await asyncio.to_thread(_open)

    async def _append_to_file(self, data: bytes) -> None:
        file: AsyncFileIO = wrap(self._file)
        self.size = await append(file, data, at=self.size, what=_place(), patience=self._spool.patience)

    def _free_memory(self) -> None:
        self._memory = io.BytesIO()
        self._spool.free_bytes += self._reserved
        self._reserved = 0


def _open() -> io.FileIO:
    return tempfile.TemporaryFile(buffering=0)  # in the folder that TMPDIR names


def _place() -> str:
    return f"temporary folder {tempfile.gettempdir()}"

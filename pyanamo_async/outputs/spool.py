"""Gather parts of uploads: in memory while the worker's budget lasts, in temporary files from then on.

No part waits for memory, so a hundred sinks that gather at once cannot block each other. Temporary files have no name:
nothing of them outlives the process, however it ends.
"""

from __future__ import annotations

import asyncio
import io
import tempfile
from typing import IO, cast

from aiofiles.threadpool import wrap

from pyanamo_async.outputs.disk import append, translated
from pyanamo_async.outputs.pages import PAGE_BYTES, Pages, pages_of
from pyanamo_async.outputs.patience import Patience
from pyanamo_async.outputs.sink import to_its_end

SPOOL_BYTES = 64 * 1024 * 1024


class Spool:
    """The memory that all parts of a worker share."""

    def __init__(self, memory_bytes: int, patience: Patience) -> None:
        self.free_pages = memory_bytes // PAGE_BYTES
        self.patience = patience

    def part(self) -> Part:
        """Begin to gather a part."""
        return Part(self)


class Part:
    """Some of the bytes of an output, until `close`."""

    def __init__(self, spool: Spool) -> None:
        self.size = 0
        self._spool = spool
        self._pages = Pages()
        self._file: io.FileIO | None = None

    async def append(self, data: bytes) -> None:
        """Add bytes.

        Raises:
            OutputError: there is no memory left, and for minutes no room on the disk.
        """
        if self._file is None and self._reserve(len(data)):
            self._pages.append(data)
            self.size += len(data)
        else:
            await self._write(await self._moved(), data)

    def body(self) -> IO[bytes]:
        """Hand it out as a file, from its beginning."""
        body = self._file or self._pages
        body.seek(0)
        return cast("IO[bytes]", body)

    def close(self) -> None:
        """Give memory and disk back; harmless when repeated."""
        self._free()
        if self._file is not None:
            self._file.close()

    def _reserve(self, more: int) -> bool:
        pages = pages_of(self.size + more) - pages_of(self.size)
        if pages > self._spool.free_pages:
            return False
        self._spool.free_pages -= pages
        return True

    def _free(self) -> None:
        self._spool.free_pages += pages_of(self._pages.size)
        self._pages.clear()

    async def _moved(self) -> io.FileIO:
        """Give its file, into which what was in memory moves first."""
        if self._file is not None:
            return self._file
        file = await self._spool.patience.through(lambda: to_its_end(self._make_file()))
        self.size = 0
        for page in self._pages.stored():
            await self._write(file, page)
        self._free()
        return file

    async def _make_file(self) -> io.FileIO:
        with translated(_place()):
            self._file = await asyncio.to_thread(_open)
        return self._file

    async def _write(self, file: io.FileIO, data: bytes) -> None:
        self.size = await append(wrap(file), data, at=self.size, what=_place(), patience=self._spool.patience)


def _open() -> io.FileIO:
    return tempfile.TemporaryFile(buffering=0)  # in the folder that TMPDIR names


def _place() -> str:
    return f"temporary folder {tempfile.gettempdir()}"

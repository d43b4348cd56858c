"""Gather parts of uploads: in memory while the worker's budget lasts, then in temporary files.

1. No part waits for memory, so a hundred sinks that gather at the same time cannot block each other.
2. All parts of a worker share one memory budget.
3. Temporary files have no name, so nothing of them outlives the process, however it ends.
"""

from __future__ import annotations

import io
import tempfile
from dataclasses import dataclass

from aiofiles.threadpool import wrap

from pyanamo_async.host.retry import RetrySchedule
from pyanamo_async.host.threads import Threads
from pyanamo_async.host.waiting import shielded
from pyanamo_async.outputs.disk import append, translated
from pyanamo_async.outputs.retrying import WRITE_SCHEDULE, retry_output

FILES = Threads("temporary files", 8)
SPOOL_BYTES = 64 * 1024 * 1024


@dataclass(slots=True, eq=False)
class Spool:
    """The memory budget that all parts of a worker share."""

    free_bytes: int
    schedule: RetrySchedule = WRITE_SCHEDULE


class Part:
    """Some bytes of an output; `close` frees them."""

    def __init__(self, spool: Spool) -> None:
        self.size = 0
        self._spool = spool
        self._memory = io.BytesIO()
        self._file: io.FileIO | None = None

    async def append(self, data: bytes) -> None:
        """Add bytes.

        Raises:
            OutputError: no memory is left, and the disk has been full for minutes.
        """
        if self._file is None and len(data) <= self._spool.free_bytes:
            self._spool.free_bytes -= self._memory.write(data)
            self.size += len(data)
        else:
            await self._write(await self._move_to_file(), data)

    def body(self) -> io.BytesIO | io.FileIO:
        """Return the bytes as a file object, at its beginning."""
        body = self._file or self._memory
        body.seek(0)
        return body

    def close(self) -> None:
        """Free memory and disk; harmless when repeated."""
        self._free()
        if self._file is not None:
            self._file.close()

    def _free(self) -> None:
        if not self._memory.closed:
            self._spool.free_bytes += len(self._memory.getbuffer())
            self._memory.close()

    async def _move_to_file(self) -> io.FileIO:
        """Return the temporary file, after moving there what was in memory."""
        if self._file is not None:
            return self._file
        file = await retry_output(lambda: shielded(self._create()), self._spool.schedule)
        self.size = 0
        await self._write(file, self._memory.getvalue())
        self._free()
        return file

    async def _create(self) -> io.FileIO:
        with translated(_folder()):
            self._file = await FILES.run(_open)
        return self._file

    async def _write(self, file: io.FileIO, data: bytes) -> None:
        self.size = await append(
            wrap(file, executor=FILES), data, at=self.size, what=_folder(), schedule=self._spool.schedule
        )


def _open() -> io.FileIO:
    return tempfile.TemporaryFile(buffering=0)  # in the folder that TMPDIR names


def _folder() -> str:
    return f"temporary folder {tempfile.gettempdir()}"

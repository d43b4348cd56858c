"""Output in a folder, with the layout of the bucket.

A file is written as its output comes, under a hidden name. When it is whole it is synced and gets its own name, so that
whoever finds it finds all of it, after a power cut too: `done` implies that the output exists. Syncing costs
milliseconds, off the event loop, and only for what is too large for the record. No call blocks the loop.
"""

from __future__ import annotations

import asyncio
import os
import uuid
from collections.abc import AsyncIterator
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import aiofiles
from aiofiles.threadpool.binary import AsyncFileIO

from pyanamo_async.errors import OutputMissing
from pyanamo_async.outputs.compression import decompressed
from pyanamo_async.outputs.disk import append, translated
from pyanamo_async.outputs.hidden import find_hidden, hidden
from pyanamo_async.outputs.keys import CHECK, name, path
from pyanamo_async.outputs.patience import BRIEF, IMPATIENT, Patience
from pyanamo_async.outputs.sink import GzipSink, to_its_end
from pyanamo_async.ports import OutputKey, Unfinished

SCHEME = "file:"
_READ_BYTES = 256 * 1024


class FileOutputs:
    """An `OutputStore` in `folder`, below the path `key`."""

    def __init__(self, folder: Path, key: str = "", *, patience: Patience | None = None) -> None:
        self._folder = folder.absolute() / key.strip("/")
        self._patience = patience or Patience()
        self._missing: list[Path] = []

    async def check(self) -> None:
        """Write a file, and remove it again with all that had to be made for it; others may do so at the same time."""
        probe = _File(self._folder / f"{CHECK}{uuid.uuid4().hex}", BRIEF)
        try:
            await probe.put(b"check")
            self._missing = probe.made
        finally:
            await probe.discard()

    def open(self, key: OutputKey) -> GzipSink:
        """Start a sink."""
        return GzipSink(_File(self._folder / path(key), self._patience))

    def location(self, key: OutputKey) -> str:
        """Tell where the output of a key stands."""
        return SCHEME + str(self._folder / path(key))

    async def read(self, location: str, *, start: int = 0) -> AsyncIterator[bytes]:
        """Stream what stands at a location."""
        async for piece in decompressed(_chunks(location), start=start):
            yield piece

    async def unfinished(self, table: str) -> AsyncIterator[Unfinished]:
        """List the files that are under way."""
        for file, target in await asyncio.to_thread(self._hidden, table):
            with suppress(FileNotFoundError):  # just finished
                since = datetime.fromtimestamp((await asyncio.to_thread(file.stat)).st_mtime, UTC)
                yield Unfinished(SCHEME + str(target), since, str(file))

    async def discard(self, unfinished: Unfinished) -> None:
        """Remove the file."""
        with translated(unfinished.name):
            await asyncio.to_thread(partial(Path(unfinished.name).unlink, missing_ok=True))

    async def remove(self, key: OutputKey) -> None:
        """Remove the file, and folders that are empty without it: up to the table's, and those a check had to make."""
        with translated(self.location(key)):
            await asyncio.to_thread(self._unlink, path(key))

    def _unlink(self, file: str) -> None:
        (self._folder / file).unlink(missing_ok=True)
        for folder in (*(self._folder / parent for parent in Path(file).parents[:-1]), *reversed(self._missing)):
            with suppress(OSError):  # others have something there
                folder.rmdir()

    def _hidden(self, table: str) -> list[tuple[Path, Path]]:
        checks = [found for found in find_hidden(self._folder, below=False) if found[1].name.startswith(CHECK)]
        return [*find_hidden(self._folder / name(table), below=True), *checks]

    async def close(self) -> None:
        """Let go of nothing: sinks own their files."""


class _File:
    """A target that appears under its name when it is whole."""

    def __init__(self, target: Path, patience: Patience) -> None:
        self._target = target
        self._hidden = hidden(target)
        self._patience = patience
        self._file: AsyncFileIO | None = None
        self._size = 0
        self._status: os.stat_result | None = None
        self.made: list[Path] = []

    async def put(self, data: bytes) -> None:
        file = self._file or await self._begun()
        self._size = await append(file, data, at=self._size, what=f"file {self._target}", patience=self._patience)

    async def finish(self) -> str:
        await IMPATIENT.through(
            lambda: to_its_end(self._publish())
        )  # after a failed sync, nobody knows what is on disk
        return SCHEME + str(self._target)

    async def discard(self) -> None:
        if self._file is not None:
            await self._file.close()
        await asyncio.to_thread(self._remove)

    async def _begun(self) -> AsyncFileIO:
        return await self._patience.through(lambda: to_its_end(self._begin()))

    async def _begin(self) -> AsyncFileIO:
        with translated(f"folder {self._target.parent}"):
            await asyncio.to_thread(self._make_folders)
            self._file = await aiofiles.open(self._hidden, "xb", buffering=0)
            self._status = os.fstat(self._file.fileno())
        return self._file

    async def _publish(self) -> None:
        with translated(f"file {self._target}"):
            if self._file is not None:
                await asyncio.to_thread(os.fsync, self._file.fileno())
                await self._file.close()
                self._file = None
            await asyncio.to_thread(_rename, self._hidden, self._target)

    def _make_folders(self) -> None:
        missing = [folder for folder in self._target.parents if not folder.is_dir()]
        for folder in reversed(missing):
            with suppress(FileExistsError):  # a sink beside this one was faster; a file that is in the way shows below
                folder.mkdir()
                self.made.append(folder)

    def _remove(self) -> None:
        with suppress(OSError):
            self._hidden.unlink(missing_ok=True)
            if self._status and os.path.samestat(self._status, self._target.stat()):
                self._target.unlink()  # a cancelled `finish` got that far; what another wrote there is not ours
        for folder in reversed(self.made):
            with suppress(OSError):  # others may have put something there
                folder.rmdir()


def _rename(source: Path, target: Path) -> None:
    source.replace(target)
    folder = os.open(target.parent, os.O_RDONLY)
    try:
        with suppress(OSError):  # not every file system syncs folders; those that can make the name durable too
            os.fsync(folder)
    finally:
        os.close(folder)


async def _chunks(location: str) -> AsyncIterator[bytes]:
    file = Path(location.removeprefix(SCHEME))
    if not await asyncio.to_thread(file.is_file):
        raise OutputMissing(f"there is no output at {location}")
    with translated(location):
        async with aiofiles.open(file, "rb", buffering=0) as opened:
            while chunk := await opened.read(_READ_BYTES):
                yield chunk

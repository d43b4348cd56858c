"""Output in a folder, with the layout of the bucket; what is made there is its owner's alone unless asked otherwise.

A file has its own name only when it is complete and synced, so `done` implies that its output exists. Syncing costs
milliseconds, and only for output that is too large for the record. No call blocks the event loop.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import AsyncIterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import aiofiles

from pyanamo_async.errors import OutputMissing
from pyanamo_async.host.modes import PRIVATE
from pyanamo_async.host.retry import RetrySchedule
from pyanamo_async.outputs.compression import GzipSink, PlainSink, decompressed
from pyanamo_async.outputs.disk import FILES, translated
from pyanamo_async.outputs.keys import CHECK, OUTPUT_DEPTH, folder_name, folder_path
from pyanamo_async.outputs.partial_file import SCHEME, PartialFile, discard_partial_file, find_partial_files
from pyanamo_async.outputs.retrying import WRITE_SCHEDULE
from pyanamo_async.ports import ObjectKey, OutputKey, StoredObject, UnfinishedOutput

# Sized for the check of another worker, which may remove our folder at the same moment.
CHECK_SCHEDULE = RetrySchedule(limit_s=3.0, first_pause_s=0.02)

_READ_BYTES = 256 * 1024


class _InFolder:
    """Stored in `folder`, below the path `key`; new files and folders do not permit what `umask` names."""

    def __init__(
        self, folder: Path, key: str = "", *, schedule: RetrySchedule = WRITE_SCHEDULE, umask: int = PRIVATE
    ) -> None:
        self._folder = folder.absolute() / key.strip("/")
        self._schedule, self._umask = schedule, umask
        self._made: list[Path] = []


class FileOutputs(_InFolder):
    """An `OutputStore` in `folder`."""

    async def check(self) -> None:
        """Write a file and remove it, with the folders made for it; other workers may do so at the same time."""
        file = PartialFile(self._folder / f"{CHECK}{uuid.uuid4().hex}", CHECK_SCHEDULE, umask=self._umask)
        try:
            await file.put(b"check")
            self._made = file.made
        finally:
            await file.discard()

    def open(self, key: OutputKey) -> GzipSink:
        return GzipSink(PartialFile(self._folder / folder_path(key), self._schedule, umask=self._umask))

    def location(self, key: OutputKey) -> str:
        return SCHEME + str(self._folder / folder_path(key))

    async def read(self, location: str, *, start: int = 0) -> AsyncIterator[bytes]:
        async for chunk in decompressed(file_chunks(location), start=start):
            yield chunk

    async def unfinished(self, table: str) -> AsyncIterator[UnfinishedOutput]:
        for file, target in await FILES.run(self._partial_files, table):
            with suppress(FileNotFoundError):  # just finished
                since = datetime.fromtimestamp((await FILES.run(file.stat)).st_mtime, UTC)
                yield UnfinishedOutput(SCHEME + str(target), since, str(file))

    async def discard(self, unfinished: UnfinishedOutput) -> None:
        with translated(unfinished.name):
            await FILES.run(discard_partial_file, Path(unfinished.name))

    async def remove(self, location: str) -> None:
        """Remove the file, and empty folders: up to the table's, and those that a check had to make."""
        with translated(location):
            await FILES.run(self._unlink, Path(location.removeprefix(SCHEME)))

    def _unlink(self, file: Path) -> None:
        file.unlink(missing_ok=True)
        for folder in (*file.parents[: OUTPUT_DEPTH - 1], *reversed(self._made)):
            with suppress(OSError):  # others have something there
                folder.rmdir()

    def _partial_files(self, table: str) -> list[tuple[Path, Path]]:
        loose = find_partial_files(self._folder, recursive=False)
        checks = [(file, target) for file, target in loose if target.name.startswith(CHECK)]
        return [*find_partial_files(self._folder / folder_name(table), recursive=True), *checks]


async def file_chunks(location: str, *, start: int = 0) -> AsyncIterator[bytes]:
    """Stream the file at a location from byte `start` on; raises `OutputMissing` when there is none."""
    file = Path(location.removeprefix(SCHEME))
    if not await FILES.run(file.is_file):
        raise OutputMissing(f"there is no output at {location}")
    with translated(location):
        async with aiofiles.open(file, "rb", buffering=0, executor=FILES) as opened:
            await opened.seek(start)
            while chunk := await opened.read(_READ_BYTES):
                yield chunk


class FileObjects(_InFolder):
    """An `ObjectStore` in `folder`, of objects as they are, beside the output of their tasks."""

    def open(self, key: ObjectKey) -> PlainSink:
        return PlainSink(PartialFile(Path(self._path(key)), self._schedule, umask=self._umask))

    def location(self, key: ObjectKey) -> str:
        return SCHEME + self._path(key)

    def read(self, location: str, *, start: int = 0) -> AsyncIterator[bytes]:
        return file_chunks(location, start=start)

    def below(self, location: str) -> AsyncIterator[StoredObject]:
        return self._listed(location.removeprefix(SCHEME))

    def of_table(self, table: str) -> AsyncIterator[StoredObject]:
        return self._listed(f"{self._folder}/{folder_name(table)}/")

    async def remove(self, location: str) -> None:
        with translated(location):
            await FILES.run(self._unlink, location.removeprefix(SCHEME))

    async def _listed(self, folder: str) -> AsyncIterator[StoredObject]:
        with translated(folder):
            found = await FILES.run(_files_below, folder)
        for path, status in found:
            since = datetime.fromtimestamp(status.st_mtime, UTC)
            yield StoredObject(path, f"{SCHEME}{folder}{path}", status.st_size, since)

    def _path(self, key: ObjectKey) -> str:
        """Return the path of an object; it ends as the key does."""
        return f"{self._folder}/{'/'.join(map(folder_name, (key.table, key.item_id, key.task)))}/{key.path}"

    def _unlink(self, path: str) -> None:
        with suppress(FileNotFoundError, NotADirectoryError):
            os.unlink(path)  # noqa: PTH108 - a path that ends in "/" must stay one
        for folder in Path(path).parents:
            if folder == self._folder:
                break
            try:
                folder.rmdir()
            except OSError:  # others have something there
                break


def _files_below(folder: str) -> list[tuple[str, os.stat_result]]:
    """List the files below a folder, but for those that are being written."""
    found = []
    for place, _, names in os.walk(folder):
        for name in names:
            path = f"{place.rstrip('/')}/{name}"
            if not name.startswith("."):
                with suppress(FileNotFoundError):
                    found.append((path.removeprefix(folder), os.stat(path)))  # noqa: PTH116
    return found

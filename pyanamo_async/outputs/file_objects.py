"""Objects of tasks in a folder, as they are, beside the output of their tasks."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from pyanamo_async.host.modes import PRIVATE
from pyanamo_async.host.retry import RetrySchedule
from pyanamo_async.host.waiting import shielded
from pyanamo_async.outputs.disk import FILES, translated
from pyanamo_async.outputs.files import file_chunks
from pyanamo_async.outputs.keys import folder_name
from pyanamo_async.outputs.partial_file import SCHEME, PartialFile
from pyanamo_async.outputs.retrying import WRITE_SCHEDULE
from pyanamo_async.ports import ObjectKey, StoredObject


class FileObjects:
    """An `ObjectStore` in `folder`, below the path `key`; new files and folders do not permit what `umask` names."""

    def __init__(
        self, folder: Path, key: str = "", *, schedule: RetrySchedule = WRITE_SCHEDULE, umask: int = PRIVATE
    ) -> None:
        self._folder = folder.absolute() / key.strip("/")
        self._schedule, self._umask = schedule, umask

    def open(self, key: ObjectKey) -> FileSink:
        return FileSink(PartialFile(Path(self._path(key)), self._schedule, umask=self._umask))

    def location(self, key: ObjectKey) -> str:
        return SCHEME + self._path(key)

    def read(self, location: str, *, start: int = 0) -> AsyncIterator[bytes]:
        return file_chunks(location, start=start)

    def below(self, key: ObjectKey) -> AsyncIterator[StoredObject]:
        return self._listed(self._path(key))

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


class FileSink:
    """A `ports.Sink` of bytes as they are."""

    def __init__(self, file: PartialFile) -> None:
        self._file = file
        self._ended = False

    async def write(self, chunk: bytes) -> None:
        await self._file.put(chunk)

    async def close(self) -> str:
        await self._file.put(b"")  # an empty object is one
        location = await self._file.finish()
        self._ended = True
        return location

    async def abort(self) -> None:
        if not self._ended:
            self._ended = True
            await shielded(self._file.discard())


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

"""Write one file of output under a hidden name, and give it its own name when it is complete.

1. A file under its own name is complete, also after a power cut: it is synced before it is renamed.
2. No two partial files share a name.
3. Discarding removes the partial file, and the folders that had to be made for it, if they are empty.
4. When its folder is deleted meanwhile, nothing is lost: the file is still open, and is copied to a new folder. What
   `discard_partial_file` removed stays away.
"""

from __future__ import annotations

import logging
import os
import re
import shutil
import uuid
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import aiofiles
from aiofiles.threadpool.binary import AsyncFileIO

from pyanamo_async.errors import OutputError
from pyanamo_async.host.modes import make_folder, open_new
from pyanamo_async.host.retry import RetrySchedule
from pyanamo_async.host.waiting import shielded
from pyanamo_async.outputs.disk import FILES, append, translated
from pyanamo_async.outputs.retrying import ONCE, retry_output

SCHEME = "file:"

logger = logging.getLogger(__name__)

ANY_PERMISSION = 0o777

_HIDDEN_NAME = re.compile(r"\.(.+)\.[0-9a-f]{8}")


def find_partial_files(folder: Path, *, recursive: bool) -> Iterator[tuple[Path, Path]]:
    """Yield the partial files in a folder, each with the name it is to get."""
    for place, folders, files in os.walk(folder):
        for file in files:
            if found := _HIDDEN_NAME.fullmatch(file):
                yield Path(place, file), Path(place, found[1])
        if not recursive:
            folders.clear()


def discard_partial_file(file: Path) -> None:
    """Remove a partial file whose sink may still write: a file without permissions is not written anew."""
    with suppress(FileNotFoundError):
        file.chmod(0)
        file.unlink()


class PartialFile:
    """One file in a folder. `made` are the folders that had to be made for it."""

    def __init__(self, target: Path, schedule: RetrySchedule, *, umask: int) -> None:
        self._target = target
        self._hidden = target.with_name(f".{target.name}.{uuid.uuid4().hex[:8]}")
        self._schedule, self._umask = schedule, umask
        self._file: AsyncFileIO | None = None
        self._size = 0
        self._status: os.stat_result | None = None
        self.made: list[Path] = []

    async def put(self, data: bytes) -> None:
        """Append bytes to the file."""
        file = self._file
        if file is None:
            file = await retry_output(lambda: shielded(self._create()), self._schedule)
        self._size = await append(file, data, at=self._size, what=f"file {self._target}", schedule=self._schedule)

    async def finish(self) -> str:
        """Sync and rename the file. A sync that fails is not repeated: the kernel may have dropped the data."""
        await retry_output(lambda: shielded(self._sync()), ONCE)
        await retry_output(lambda: shielded(self._publish()), self._schedule)
        return SCHEME + str(self._target)

    async def discard(self) -> None:
        """Remove the file and the folders made for it."""
        if self._file is not None:
            await self._file.close()
        await FILES.run(self._remove)

    async def _create(self) -> AsyncFileIO:
        with translated(f"folder {self._target.parent}"):
            await FILES.run(self._make_folders)
            self._file = await aiofiles.open(self._hidden, "x+b", buffering=0, opener=self._open_new, executor=FILES)
            self._status = await FILES.run(os.fstat, self._file.fileno())
        return self._file

    async def _sync(self) -> None:
        if self._file is not None:
            with translated(f"file {self._target}"):
                await FILES.run(os.fsync, self._file.fileno())

    async def _publish(self) -> None:
        with translated(f"file {self._target}"):
            await FILES.run(self._rename)
            if self._file is not None:
                await self._file.close()
                self._file = None

    def _rename(self) -> None:
        try:
            _rename(self._hidden, self._target)
        except FileNotFoundError:
            if self._file is None:
                raise
            if not os.fstat(self._file.fileno()).st_mode & ANY_PERMISSION:
                raise OutputError(f"file {self._target}: somebody discarded it while it was written") from None
            self._copy(self._file.fileno())
            logger.warning("output folder was deleted, and is made again: %s", self._target.parent)
            _rename(self._hidden, self._target)

    def _copy(self, descriptor: int) -> None:
        """Write the hidden file anew from the one that is still open."""
        self._make_folders()
        with (
            open(os.dup(descriptor), "rb") as source,  # noqa: PTH123 - a descriptor
            open(self._hidden, "x+b", opener=self._open_new) as copy,
        ):
            try:
                source.seek(0)
                shutil.copyfileobj(source, copy)
                copy.flush()
                os.fsync(copy.fileno())
            except BaseException:
                self._hidden.unlink(missing_ok=True)  # half a file must not be renamed by the next try
                raise
            self._status = os.fstat(copy.fileno())

    def _open_new(self, path: str, _: int) -> int:
        return open_new(path, self._umask)

    def _make_folders(self) -> None:
        missing = [folder for folder in self._target.parents if not folder.is_dir()]
        for folder in reversed(missing):
            with suppress(FileExistsError):  # another sink was faster; if it is a file, opening says so
                make_folder(folder, self._umask)
                self.made.append(folder)

    def _remove(self) -> None:
        with suppress(OSError):
            self._hidden.unlink(missing_ok=True)
            if self._status and os.path.samestat(self._status, self._target.stat()):
                self._target.unlink()  # a cancelled `finish` got that far; a file of another sink stays
        for folder in reversed(self.made):
            with suppress(OSError):  # others may have put something there
                folder.rmdir()


def _rename(source: Path, target: Path) -> None:
    source.replace(target)
    folder = os.open(target.parent, os.O_RDONLY)
    try:
        with suppress(OSError):  # not every file system can sync a folder
            os.fsync(folder)
    finally:
        os.close(folder)

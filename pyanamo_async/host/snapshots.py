"""Take a snapshot of a folder by hard links, and fill a folder from stored files.

1. A snapshot takes no room and no time to speak of: a file that its script replaces by rename stays in it as it was.
2. Restoring writes nothing outside of the folder, and overwrites nothing. Where a file has many zeros it gets a hole:
   it takes no more room than the one that was stored, which may have had one.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from hashlib import blake2b
from pathlib import Path

from pyanamo_async.core.checkpoints import DIGEST_BYTES, Entry
from pyanamo_async.core.values import replace
from pyanamo_async.errors import OutputError
from pyanamo_async.host.folder_files import FileChanged, FoundFile, find_files, stays_inside
from pyanamo_async.host.working_folders import remove_folder

HOLE_BYTES = 64 * 1024  # the smallest hole, and what is written at a time
ZEROS = bytes(HOLE_BYTES)
TRIES = 5  # a script that renames files while they are listed


def take_snapshot(folder: Path, snapshot: Path) -> list[FoundFile]:
    """Link all files of a folder into another, which is made anew, and return what is there.

    Raises:
        FileChanged: the script changes the folder all the time.
        OutputError: something in it cannot be stored.
    """
    for rest in reversed(range(TRIES)):
        remove_folder(snapshot)
        snapshot.mkdir()
        try:
            return [_link(each, folder, snapshot) for each in find_files(folder)]
        except FileChanged:
            if not rest:
                raise
    raise AssertionError


def _link(found: FoundFile, folder: Path, snapshot: Path) -> FoundFile:
    to = snapshot / found.path
    if found.is_folder:
        to.mkdir(0o700)
        return found
    if found.target:
        return found
    try:
        os.link(folder / found.path, to, follow_symlinks=False)
    except FileNotFoundError as error:
        raise FileChanged(f"'{found.path}' went while the folder was read") from error
    except OSError as error:
        raise OutputError(f"'{found.path}' cannot be linked: {error.strerror}") from error
    status = to.lstat()
    return replace(found, inode=status.st_ino, size_bytes=status.st_size, mtime_ns=status.st_mtime_ns)


def make_skeleton(folder: Path, entries: Iterable[Entry]) -> None:
    """Make the folders, links and empty files of a checkpoint in an empty folder.

    Raises:
        ValueError: a link leads out of it.
    """
    for entry in entries:
        path = folder / entry.path
        if entry.is_folder:
            path.mkdir(0o700)
        elif entry.target:
            if not stays_inside(entry.path, entry.target):
                raise ValueError(f"'{entry.path}' is a link that leads out of the folder")
            path.symlink_to(entry.target)
        elif not entry.size_bytes:
            path.touch(exist_ok=False)


def finish_folder(folder: Path, entries: Iterable[Entry]) -> None:
    """Give files their permissions and times, and folders their permissions, children first."""
    for entry in sorted(entries, key=lambda each: each.path, reverse=True):
        path = folder / entry.path
        if not entry.target:
            path.chmod(entry.mode)
        if not entry.target and not entry.is_folder:
            os.utime(path, ns=(entry.mtime_ns, entry.mtime_ns))


class Unpacker:
    """Write the files of one pack as its bytes come, and check them; `first` is where the first begins."""

    def __init__(self, folder: Path, entries: Iterable[Entry]) -> None:
        self._folder = folder
        self._waiting = sorted(entries, key=lambda each: -each.offset)
        self.first = self._at = self._waiting[-1].offset
        self._file: int | None = None
        self._hash = blake2b(digest_size=DIGEST_BYTES)
        self._rest = 0

    @property
    def is_done(self) -> bool:
        """Return whether no file is left to be written."""
        return not self._waiting

    def feed(self, chunk: bytes) -> None:
        """Take the next bytes of the pack.

        Raises:
            ValueError: a file is not as its checksum says.
        """
        view = memoryview(chunk)
        while view and self._waiting:
            entry = self._waiting[-1]
            if self._file is None:
                gap = entry.offset - self._at
                if gap < 0:
                    raise ValueError("the manifest is damaged")
                if gap:
                    self._at += min(gap, len(view))
                    view = view[gap:]
                    continue
                self._open(entry)
            part, view = view[: self._rest], view[self._rest :]
            self._write(part)
            if not self._rest:
                self._close(entry)

    def close(self) -> None:
        """Close what is open; raises `ValueError` when files are missing."""
        if self._file is not None:
            os.close(self._file)
            self._file = None
        if self._waiting:
            raise ValueError("a pack ends too soon")

    def _open(self, entry: Entry) -> None:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        self._file, self._rest = os.open(self._folder / entry.path, flags, 0o600), entry.size_bytes
        self._hash = blake2b(digest_size=DIGEST_BYTES)

    def _write(self, part: memoryview) -> None:
        self._hash.update(part)
        self._at += len(part)
        self._rest -= len(part)
        while part and self._file is not None:
            block = part[:HOLE_BYTES]
            if not (block[0] or block[-1]) and bytes(block) == ZEROS[: len(block)]:
                os.lseek(self._file, len(block), os.SEEK_CUR)
                part = part[len(block) :]
            else:
                part = part[os.write(self._file, block) :]

    def _close(self, entry: Entry) -> None:
        if self._file is not None:
            os.ftruncate(self._file, entry.size_bytes)  # which may end with a hole
            os.close(self._file)
            self._file = None
        self._waiting.pop()
        if self._hash.hexdigest() != entry.digest:
            raise ValueError(f"'{entry.path}' is damaged")

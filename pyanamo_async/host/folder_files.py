"""Find and read the files of a folder, whatever its script left there.

1. Only files, folders, and links to what is in the folder too are taken. Anything else (devices, sockets, pipes, links
   that lead out) is an error that names it: nothing is left out in silence.
2. Nothing outside of the folder is read, and nothing is waited for: no link is followed, no pipe opened.
3. A file that changes while it is read is an error: half of one state and half of another is none.
"""

from __future__ import annotations

import os
import posixpath
import stat
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

from pyanamo_async.core.values import Value
from pyanamo_async.errors import OutputError
from pyanamo_async.host.working_folders import THREADS

READ_BYTES = 1 << 20
MODE = 0o777
KINDS = {stat.S_IFIFO: "a pipe", stat.S_IFSOCK: "a socket", stat.S_IFCHR: "a device", stat.S_IFBLK: "a device"}


class FoundFile(Value):
    """A file, a folder, or a link with its `target`; `path` is relative. The last two stand for its content."""

    path: str
    mode: int
    is_folder: bool = False
    target: str = ""
    size_bytes: int = 0
    mtime_ns: int = 0
    inode: int = 0


class FileChanged(OutputError):
    """A file changed, or went, while the folder was read."""


def find_files(folder: Path) -> list[FoundFile]:
    """Return all that is in a folder, parents before children.

    Raises:
        FileChanged: the script is changing it.
        OutputError: something in it is of no kind that can be stored.
    """
    if folder.is_symlink() or folder.is_file():  # what a link leads to is not the task's
        raise OutputError("something else is where the folder was")
    found: list[FoundFile] = []
    open_folders = [""]
    while open_folders:
        inside = list(_entries(folder, open_folders.pop()))
        found += inside
        open_folders += [each.path for each in inside if each.is_folder]
    return sorted(found, key=lambda each: each.path.split("/"))


def _entries(folder: Path, inner: str) -> Iterator[FoundFile]:
    try:
        with os.scandir(folder / inner) as entries:
            for entry in entries:
                yield _entry(f"{inner}/{entry.name}" if inner else entry.name, entry)
    except FileNotFoundError as error:
        gone = os.path.relpath(error.filename, folder)
        what = "the folder itself is gone" if gone == "." else f"'{_shown(gone)}' went while the folder was read"
        raise FileChanged(what) from error
    except OSError as error:
        raise OutputError(f"'{_shown(inner)}' cannot be read: {error.strerror}") from error


def _entry(path: str, entry: os.DirEntry[str]) -> FoundFile:
    status = entry.stat(follow_symlinks=False)
    kind, mode = stat.S_IFMT(status.st_mode), status.st_mode & MODE
    try:
        path.encode()
    except UnicodeEncodeError:
        raise OutputError(f"the name '{_shown(path)}' is not UTF-8") from None
    if kind == stat.S_IFDIR:
        return FoundFile(path, mode, is_folder=True)
    if kind == stat.S_IFLNK:
        target = os.readlink(entry.path)  # noqa: PTH115 - a text
        if not stays_inside(path, target):
            raise OutputError(f"'{_shown(path)}' is a link that leads out of the folder")
        return FoundFile(path, mode, target=target)
    if kind != stat.S_IFREG:
        raise OutputError(f"'{_shown(path)}' is {KINDS.get(kind, 'no file')}")
    return FoundFile(path, mode, size_bytes=status.st_size, mtime_ns=status.st_mtime_ns, inode=status.st_ino)


def stays_inside(path: str, target: str) -> bool:
    """Return whether a link at a path leads to something in the same folder, as far as names tell."""
    leads_to = posixpath.normpath(posixpath.join(posixpath.dirname(path), target))
    return bool(target) and not target.startswith("/") and leads_to != ".." and not leads_to.startswith("../")


async def read_file(folder: Path, found: FoundFile) -> AsyncIterator[bytes]:
    """Stream a file in constant memory.

    Raises:
        FileChanged: it is not as it was found, before or after.
        OutputError: it cannot be read.
    """
    file, chunk = await THREADS.run(_open, folder, found)
    rest = found.size_bytes
    try:
        while chunk and rest > 0:
            yield chunk[:rest]
            rest -= len(chunk)
            chunk = await THREADS.run(_read, file, found)
    finally:
        os.close(file)
    if rest:
        raise FileChanged(f"'{_shown(found.path)}' changed while it was read")


def _open(folder: Path, found: FoundFile) -> tuple[int, bytes]:
    try:
        file = os.open(folder / found.path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError as error:
        raise FileChanged(f"'{_shown(found.path)}' went while the folder was read") from error
    except OSError as error:
        raise OutputError(f"'{_shown(found.path)}' cannot be read: {error.strerror}") from error
    try:
        return file, _read(file, found)
    except BaseException:
        os.close(file)
        raise


def _read(file: int, found: FoundFile) -> bytes:
    """Read a piece, and check that the file was not changed until then."""
    chunk = os.read(file, READ_BYTES)
    status = os.fstat(file)
    if (status.st_ino, status.st_size, status.st_mtime_ns) != (found.inode, found.size_bytes, found.mtime_ns):
        raise FileChanged(f"'{_shown(found.path)}' changed while it was read")
    return chunk


def _shown(path: str) -> str:
    return path.encode(errors="backslashreplace").decode()

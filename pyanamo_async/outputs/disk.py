"""Write to a disk that may be full for a while.

A full disk is `Unavailable`: other tasks clean up when they end, so a sink waits for the disk as it would for a slow
service. The next try writes over what a failed write left behind.
"""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager

from aiofiles.threadpool.binary import AsyncFileIO

from pyanamo_async.errors import OutputError, Unavailable
from pyanamo_async.host.retry import RetrySchedule
from pyanamo_async.host.threads import Threads
from pyanamo_async.host.waiting import shielded
from pyanamo_async.outputs.retrying import retry_output

FILES = Threads("output files", 32)  # a dead file server holds them all up, and nothing else

_OTHER_FOLDER = "choose a folder you may write to with `bucket` file:DIR"
_TRANSIENT = {
    errno.ENOSPC: "free some space, or choose a folder on another disk",
    errno.EDQUOT: "free some space, or ask for a larger quota",
    errno.EMFILE: "raise the limit of open files (ulimit -n)",
    errno.ENFILE: "raise the system's limit of open files",
    # another sink may have removed the folder, as one that it had made; the next try makes it again
    errno.ENOENT: f"the folder cannot be made, or somebody removes it: {_OTHER_FOLDER}",
    errno.ESTALE: "does the file server answer?",
    errno.ETIMEDOUT: "does the file server answer?",
}
_PERMANENT = {
    errno.EROFS: f"the file system is read-only: {_OTHER_FOLDER}",
    errno.EACCES: _OTHER_FOLDER,
    errno.EPERM: _OTHER_FOLDER,
    errno.ENAMETOOLONG: "choose a shorter path with `bucket` file:DIR",
    errno.EEXIST: f"a file stands where a folder should: {_OTHER_FOLDER}",
    errno.ENOTDIR: f"a file stands where a folder should: {_OTHER_FOLDER}",
}


async def append(file: AsyncFileIO, data: bytes, *, at: int, what: str, schedule: RetrySchedule) -> int:
    """Write all of `data` at offset `at` of an unbuffered file and return the offset after it.

    Raises:
        OutputError: the disk refuses the data, or stays full for longer than the schedule allows.
    """

    async def write() -> None:
        with translated(what):
            await shielded(_write(file, data, at))  # a thread must never write to a descriptor that was closed

    await retry_output(write, schedule)
    return at + len(data)


async def _write(file: AsyncFileIO, data: bytes, at: int) -> None:
    await file.seek(at)
    rest = memoryview(data)
    while rest:
        rest = rest[await file.write(rest) :]


@contextmanager
def translated(what: str) -> Iterator[None]:
    """Raise our errors for those of the operating system; `what` names the file or folder."""
    try:
        yield
    except OSError as error:
        message = f"{what}: {error.strerror or error}"
        if error.errno in _TRANSIENT:
            raise Unavailable(message, hint=_TRANSIENT[error.errno]) from error
        raise OutputError(message, hint=_PERMANENT.get(error.errno or 0, "")) from error

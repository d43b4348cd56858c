"""Write to a disk that may be full for a while.

A full disk is `Unavailable`: tasks beside this one clean up when they end, so a sink waits for them as it would for a
slow service. What a failed write has left behind is written over by the next try.
"""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager

from aiofiles.threadpool.binary import AsyncFileIO

from pyanamo_async.errors import OutputError, Unavailable
from pyanamo_async.outputs.patience import Patience
from pyanamo_async.outputs.sink import to_its_end

_ELSEWHERE = "choose a folder you may write to with `bucket` file:DIR"
_PASSING = {
    errno.ENOSPC: "free some space, or choose a folder on another disk",
    errno.EDQUOT: "free some space, or ask for a larger quota",
    errno.EMFILE: "raise the limit of open files (ulimit -n)",
    errno.ENFILE: "raise the system's limit of open files",
    # this may pass: a sink beside this one may have removed the folder, as one that it had made
    errno.ENOENT: f"no folder can be made there, or somebody removes it: {_ELSEWHERE}",
    errno.ESTALE: "does the file server answer?",
    errno.ETIMEDOUT: "does the file server answer?",
}
_LASTING = {
    errno.EROFS: f"the file system is read-only: {_ELSEWHERE}",
    errno.EACCES: _ELSEWHERE,
    errno.EPERM: _ELSEWHERE,
    errno.ENAMETOOLONG: "choose a shorter path with `bucket` file:DIR",
    errno.EEXIST: f"a file stands where a folder should: {_ELSEWHERE}",
    errno.ENOTDIR: f"a file stands where a folder should: {_ELSEWHERE}",
}


async def append(file: AsyncFileIO, data: bytes, *, at: int, what: str, patience: Patience) -> int:
    """Write all of `data` at offset `at` of an unbuffered file and return the offset behind it.

    Raises:
        OutputError: the disk does not take it, or is full for longer than the patience.
    """

    async def rest() -> None:
        with translated(what):
            await to_its_end(_write(file, data, at))  # a thread must never write to a descriptor that was closed

    await patience.through(rest)
    return at + len(data)


async def _write(file: AsyncFileIO, data: bytes, at: int) -> None:
    await file.seek(at)
    left = memoryview(data)
    while left:
        left = left[await file.write(left) :]


@contextmanager
def translated(what: str) -> Iterator[None]:
    """Raise our errors for those of the system."""
    try:
        yield
    except OSError as error:
        said = f"{what}: {error.strerror or error}"
        if error.errno in _PASSING:
            raise Unavailable(said, hint=_PASSING[error.errno]) from error
        raise OutputError(said, hint=_LASTING.get(error.errno or 0, "")) from error

"""Write a file that a person named: where the name leads, and as a whole.

1. A regular file is replaced when the new one is complete; if anything fails, the old one is as it was. It keeps its
   mode, and its owner as far as this process may give files away.
2. A symbolic link stays one: the file that it leads to is replaced, or made.
3. What is no regular file, such as a device or a FIFO, is written into, as a shell's `>` does, and never replaced.
4. A new file gets the mode that the umask of this process permits, unless another umask is asked for.
"""

from __future__ import annotations

import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from pyanamo_async.host.modes import open_new


@contextmanager
def new_file(
    path: Path, *, umask: int | None = None, durable: bool = False, may_wait: bool = True
) -> Iterator[IO[bytes]]:
    """Open a file to write it anew.

    With `durable` it is on the disk before it has its name. Without `may_wait` a FIFO that nobody reads is an error.

    Raises:
        OSError: it cannot be written.
    """
    before = _status(path)
    target = Path(os.path.realpath(path))
    if before and not (stat.S_ISREG(before.st_mode) and _is(target, before)):
        with _written_into(path, may_wait=may_wait) as file:
            yield file
        return
    partial = target.with_name(f".pyanamo-{secrets.token_hex(8)}")
    descriptor = open_new(partial, umask)
    try:
        with os.fdopen(descriptor, "wb") as file:
            if before:
                _take_over(descriptor, before)
            yield file
            file.flush()
            if durable:
                os.fsync(descriptor)
        partial.replace(target)
    finally:
        partial.unlink(missing_ok=True)


def is_replaced(path: Path) -> bool:
    """Return whether a file of this name would be replaced or made, and not written into.

    Raises:
        OSError: that cannot be told.
    """
    before = _status(path)
    return before is None or stat.S_ISREG(before.st_mode)


def _status(path: Path) -> os.stat_result | None:
    try:
        return path.stat()
    except FileNotFoundError:  # also a link that leads nowhere yet
        return None


def _is(target: Path, status: os.stat_result) -> bool:
    """Return whether a name is that of a file: one that is only open, below /proc, may have lost its name."""
    found = _status(target)
    return found is not None and os.path.samestat(found, status)


def _written_into(path: Path, *, may_wait: bool) -> IO[bytes]:
    flags = os.O_WRONLY | os.O_TRUNC | os.O_NOCTTY | os.O_CLOEXEC | (0 if may_wait else os.O_NONBLOCK)
    return os.fdopen(os.open(path, flags), "wb")


def _take_over(descriptor: int, before: os.stat_result) -> None:
    """Give a file the owner and mode of the one that it replaces."""
    new = os.fstat(descriptor)
    if (new.st_uid, new.st_gid) != (before.st_uid, before.st_gid):
        with suppress(PermissionError):
            os.fchown(descriptor, before.st_uid, before.st_gid)
    if stat.S_IMODE(new.st_mode) != stat.S_IMODE(before.st_mode):
        with suppress(OSError):  # file systems without permissions
            os.fchmod(descriptor, stat.S_IMODE(before.st_mode))

"""Give new files and folders the permissions that were asked for, whatever the umask of this process is.

The umask itself is left alone: scripts inherit it.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from pyanamo_async.errors import UsageError

PRIVATE = 0o077  # the umask of files and folders for their owner only


def usable_umask(umask: int | None) -> int:
    """Return a umask that was asked for, or for None that of this process.

    Reading it takes setting it: call this before threads make files.

    Raises:
        UsageError: the owner would be shut out.
    """
    if umask is None:
        umask = os.umask(PRIVATE)
        os.umask(umask)
        return umask
    if not 0 <= umask <= PRIVATE:
        raise UsageError(f"`umask` is {umask:03o}", hint="give 000 to 077: your own permissions are needed")
    return umask


def create_file(path: Path, umask: int | None) -> None:
    """Create an empty file; one that exists is left as it is. Without a umask that of this process holds."""
    with suppress(FileExistsError):
        os.close(open_new(path, umask))


def open_new(path: str | Path, umask: int | None) -> int:
    """Create a file and return its descriptor, for writing and reading. Without a umask that of this process holds.

    Raises:
        FileExistsError: there is such a file.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666 & ~(umask or 0))
    if umask is not None and os.fstat(descriptor).st_mode & 0o777 != 0o666 & ~umask:
        with suppress(OSError):  # file systems without permissions
            os.fchmod(descriptor, 0o666 & ~umask)
    return descriptor


def make_folder(path: Path, umask: int) -> None:
    """Make a folder.

    Raises:
        FileExistsError: there is a folder or file of that name.
    """
    path.mkdir(0o777 & ~umask)
    if path.stat().st_mode & 0o777 != 0o777 & ~umask:
        with suppress(OSError):
            path.chmod(0o777 & ~umask)

"""Make the folders that attempts work in, on this machine's fastest disk, and remove them.

1. Each process has one folder there, its owner's alone, and each attempt one within it, which is new.
2. A process holds a lock on its folder, which no script inherits. Where the lock is free the process has died, however
   that was: the next one of the same user removes what it left.
3. Whatever a script did to its folders, they can be removed: missing permissions are given first, and links are not
   followed.
"""

from __future__ import annotations

import fcntl
import os
import secrets
import shutil
import stat
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from pyanamo_async.host.file_systems import MEMORY, NETWORK, file_system, is_rotational
from pyanamo_async.host.threads import Threads

THREADS = Threads("folders of tasks", 16)
USUAL = ("/scratch", "/local", "/mnt", "/tmp", "/var/tmp")  # noqa: S108 - where disks of machines in a cloud are mounted
LOCK = "lock"


class WorkingFolders:
    """The folders of one process, made on `disk` when the first is needed; `close` removes them all."""

    def __init__(self, disk: Path | None = None) -> None:
        self._disk = disk
        self._own: Path | None = None
        self._lock = -1
        self._made = 0
        self._making = threading.Lock()

    def make(self, *names: str) -> Path:
        """Make a folder for an attempt, with folders of these names in it, and return its path.

        Raises:
            OSError: it cannot be made.
        """
        with self._making:  # threads make several at once
            own = self._own or self._make_own()
            self._made += 1
            folder = own / str(self._made)
        for each in (folder, *(folder / name for name in names)):
            each.mkdir(0o700)
        return folder

    def close(self) -> None:
        """Remove all folders; harmless when repeated."""
        if self._own is not None:
            remove_folder(self._own)
            os.close(self._lock)
            self._own = None

    def _make_own(self) -> Path:
        disk = self._disk or fastest_disk(os.environ)
        prefix = f"pyanamo-{os.getuid()}-"
        _remove_abandoned(disk, prefix)
        hidden = disk / f".{prefix}{secrets.token_hex(4)}"
        hidden.mkdir(0o700)
        lock = os.open(hidden / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        fcntl.flock(lock, fcntl.LOCK_EX)
        own = hidden.with_name(hidden.name[1:])  # others find only what is locked
        hidden.rename(own)
        self._own, self._lock = own, lock
        return own


def fastest_disk(environ: Mapping[str, str], usual: tuple[str, ...] = USUAL) -> Path:
    """Return the folder that `TMPDIR` names, or else the best of the usual ones that can be written.

    Those on a network or in memory come last, then those on disks that rotate; of equals the one with most room wins.
    """
    if (named := environ.get("TMPDIR")) and _is_writable(named):
        return Path(named).absolute()
    found = [Path(each) for each in usual if _is_writable(each)]
    return min(found, key=_slowness, default=Path("/tmp"))  # noqa: S108


def _is_writable(folder: str) -> bool:
    return os.path.isdir(folder) and os.access(folder, os.W_OK | os.X_OK)  # noqa: PTH112


def _slowness(folder: Path) -> tuple[bool, bool, int]:
    kind = file_system(folder)
    return kind in NETWORK | MEMORY, is_rotational(folder), -shutil.disk_usage(folder).free


def remove_folder(folder: Path) -> None:
    """Remove a folder with all that is in it, as far as that can be done."""
    shutil.rmtree(folder, onerror=_allow_and_repeat)


def _allow_and_repeat(call: Callable[..., Any], path: str, _: object) -> None:
    """Give a folder that its script closed the permissions that removing takes, and go on there."""
    with suppress(OSError):
        for each in (os.path.dirname(path), path):  # noqa: PTH120 - `rmtree` has texts
            if stat.S_ISDIR(os.lstat(each).st_mode):
                os.chmod(each, 0o700)  # noqa: PTH101
        if call in (os.unlink, os.rmdir):
            call(path)
        else:
            shutil.rmtree(path, ignore_errors=True)


def _remove_abandoned(disk: Path, prefix: str) -> None:
    """Remove the folders of processes that have died."""
    for folder in disk.glob(f"{prefix}*"):
        with suppress(OSError):
            if folder.lstat().st_uid != os.getuid() or not stat.S_ISDIR(folder.lstat().st_mode):
                continue
            lock = os.open(folder / LOCK, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                remove_folder(folder)
            finally:
                os.close(lock)

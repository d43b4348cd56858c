"""Translate the errors of SQLite into ours (https://www.sqlite.org/rescode.html)."""

from __future__ import annotations

import errno
import sqlite3
from pathlib import Path

from pyanamo_async.core.text.system_errors import why
from pyanamo_async.errors import PyanamoError, SchemaMismatch, StoreError, Unavailable

PRIMARY = 0xFF  # the low byte of an extended result code
Failure = sqlite3.Error | OSError | UnicodeEncodeError

_UNWRITABLE = (
    StoreError,
    "the table {path} cannot be opened or written: {error}",
    "the file and its folder must be writable: SQLite keeps its log beside the file",
)
NO_ROOM_FOR_INDEX = {sqlite3.SQLITE_IOERR_SHMOPEN, sqlite3.SQLITE_IOERR_SHMSIZE}  # of the log; extended codes
NO_SPACE = "no space is left for the table {path}", "make room on its disk"
_KNOWN: dict[int, tuple[type[PyanamoError], str, str]] = {
    sqlite3.SQLITE_BUSY: (
        Unavailable,
        "the table {path} is locked: another program holds a transaction open",
        "workers hold one for milliseconds only; close what else has it open, such as a notebook or the sqlite3 shell",
    ),
    sqlite3.SQLITE_FULL: (Unavailable, *NO_SPACE),
    **dict.fromkeys(NO_ROOM_FOR_INDEX, (Unavailable, *NO_SPACE)),
    sqlite3.SQLITE_IOERR: (
        Unavailable,
        "the disk of the table {path} failed: {error}",
        "check its space, quota and health",
    ),
    sqlite3.SQLITE_NOTADB: (SchemaMismatch, "{path} is not a table of pyanamo", "choose another name for the table"),
    sqlite3.SQLITE_CORRUPT: (
        StoreError,
        "the table {path} is damaged: {error}",
        "`sqlite3 {path} .recover` writes out what can still be read",
    ),
    sqlite3.SQLITE_READONLY: _UNWRITABLE,
    sqlite3.SQLITE_CANTOPEN: _UNWRITABLE,
    sqlite3.SQLITE_PERM: _UNWRITABLE,
}
_OF_SYSTEM = {  # making the file
    errno.EACCES: sqlite3.SQLITE_CANTOPEN,
    errno.EPERM: sqlite3.SQLITE_CANTOPEN,
    errno.EROFS: sqlite3.SQLITE_CANTOPEN,
    errno.ENOSPC: sqlite3.SQLITE_FULL,
    errno.EDQUOT: sqlite3.SQLITE_FULL,
}


def explained(error: Failure, path: Path) -> PyanamoError:
    """Return our error for a failure, with the table's path and a hint."""
    code = getattr(error, "sqlite_errorcode", _OF_SYSTEM.get(getattr(error, "errno", 0), 0))
    kind, what, hint = _KNOWN.get(code) or _KNOWN.get(
        code & PRIMARY, (StoreError, "the table {path} failed: {error}", "")
    )
    return kind(what.format(path=path, error=why(error)), hint=hint.format(path=path))

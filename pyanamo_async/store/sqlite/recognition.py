"""Tell a table of ours from other files.

A file of another program or another schema version is neither read nor changed, nor one with views or triggers: they
would run with every statement of ours.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path

from pyanamo_async.errors import SchemaMismatch, TableMissing

APPLICATION_ID = 0x5059414E  # "PYAN", which `file` shows too
SCHEMA_VERSION = 8
SMALLEST_PAGE = 512  # bytes; SQLite takes a smaller file for an empty one and would overwrite it
FOREIGN = "SELECT type, name FROM sqlite_master WHERE type IN ('trigger', 'view')"


def require_ours(connection: sqlite3.Connection, path: Path) -> None:
    """Refuse a file that is not, or not yet, a table of ours.

    Raises:
        TableMissing, SchemaMismatch: as `is_ours`.
    """
    if not is_ours(connection, path):
        raise missing(path)


def is_ours(connection: sqlite3.Connection, path: Path) -> bool:
    """Return whether the file is a table of ours, or False if it is still empty; refuse any other file.

    Raises:
        SchemaMismatch: the file belongs to another program or has another schema version.
    """
    if connection.in_transaction:
        return _has_our_schema(connection, path)
    connection.execute("BEGIN")  # a table that is created between two queries would look like one of another program
    try:
        return _has_our_schema(connection, path)
    finally:
        connection.rollback()  # no effect when SQLite rolled back itself, because the disk failed


def _has_our_schema(connection: sqlite3.Connection, path: Path) -> bool:
    [application] = connection.execute("PRAGMA application_id").fetchone()
    [version] = connection.execute("PRAGMA user_version").fetchone()
    if (application, version) == (APPLICATION_ID, SCHEMA_VERSION):
        if foreign := connection.execute(FOREIGN).fetchone():
            raise SchemaMismatch(
                f"the table {path} has a {foreign[0]} of another program, {foreign[1]}",
                hint="it would run with every statement of pyanamo: drop it, or keep views in a database of their own",
            )
        return True
    if application == APPLICATION_ID:
        raise SchemaMismatch(
            f"the table {path} has schema version {version}, and this pyanamo works with version {SCHEMA_VERSION}",
            hint="use the version of pyanamo that created it, or import the task file into a new table",
        )
    if 0 < path.stat().st_size < SMALLEST_PAGE:
        raise SchemaMismatch(f"{path} is not a table of pyanamo", hint="choose another name for the table")
    if connection.execute("SELECT 1 FROM sqlite_master").fetchone() is None:
        return False
    raise SchemaMismatch(f"{path} is a database of another program", hint="choose another name for the table")


def missing(path: Path) -> TableMissing:
    """Return the error for a table that does not exist."""
    return TableMissing(f"there is no table {path}", hint="`pyanamo table create` or `pyanamo import` creates it")

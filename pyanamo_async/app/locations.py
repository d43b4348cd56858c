"""Addresses: where a table is and where output goes, as people write them.

A table is a DynamoDB name or `sqlite:PATH`; output goes to `BUCKET`, `s3://BUCKET/PREFIX` or `file:DIR`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from pyanamo_async.errors import UsageError

SQLITE, FOLDER, S3, LOGS = "sqlite:", "file:", "s3://", "logs://"
_SUFFIXES = (".db", ".sqlite", ".sqlite3")
_MAGIC = b"SQLite format 3\0"
_TABLE_NAME = re.compile(r"[A-Za-z0-9_.-]{3,255}")
_BUCKET_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{2,254}")


@dataclass(frozen=True, slots=True)
class SqliteTable:
    """A table in a SQLite file."""

    path: Path

    def __str__(self) -> str:
        return f"{SQLITE}{self.path}"


@dataclass(frozen=True, slots=True)
class DynamoTable:
    """A table of DynamoDB."""

    name: str

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True, slots=True)
class Folder:
    """A folder that takes output."""

    path: Path
    key: str

    def __str__(self) -> str:
        return f"{FOLDER}{self.path}"


@dataclass(frozen=True, slots=True)
class Bucket:
    """A bucket that takes output below a prefix."""

    name: str
    prefix: str

    def __str__(self) -> str:
        return f"{S3}{self.name}/{self.prefix}"


TableAddress = SqliteTable | DynamoTable
OutputAddress = Folder | Bucket


def beside(table: TableAddress, suffix: str) -> TableAddress:
    """Name a table like this one, in the same place.

    Raises:
        UsageError: the name would be too long.
    """
    if isinstance(table, SqliteTable):
        return SqliteTable(table.path.with_name(f"{table.path.stem}{suffix}{table.path.suffix}"))
    return read_table(f"{table.name}{suffix}")


def read_table(text: str) -> TableAddress:
    """Read the address of a table.

    Raises:
        UsageError: it is none.
    """
    if text.startswith(SQLITE):
        if not text.removeprefix(SQLITE):
            raise UsageError(f"--table '{text}' names no file", hint="write it like sqlite:pyanamo.db")
        return SqliteTable(_path(text, SQLITE))
    if _is_file(text):
        raise UsageError(f"--table '{text}' is a file's name", hint=f"did you mean {SQLITE}{text}?")
    if _TABLE_NAME.fullmatch(text):
        return DynamoTable(text)
    raise UsageError(
        f"--table '{text}' is neither a DynamoDB table nor a SQLite file",
        hint="a name of 3 to 255 letters, digits, '_', '-', '.', or sqlite:PATH; -t or PYANAMO_TABLE",
    )


def read_output(text: str, *, key: str) -> OutputAddress:
    """Read where output goes; `key` is the path below it.

    Raises:
        UsageError: it is no bucket and no folder.
    """
    if text.startswith(FOLDER):
        if not text.removeprefix(FOLDER):
            raise UsageError(f"--bucket '{text}' names no folder", hint="write it like file:pyanamo-logs")
        return Folder(_path(text, FOLDER), key.strip("/"))
    name, _, prefix = text.removeprefix(S3).partition("/")
    if _BUCKET_NAME.fullmatch(name) and (text.startswith(S3) or not prefix):
        return Bucket(name, "/".join(part for part in (prefix.strip("/"), key.strip("/")) if part))
    raise UsageError(
        f"--bucket '{text}' is neither a bucket nor a folder",
        hint="a bucket's name, s3://bucket/prefix, or file:DIR; -b or S3_BUCKET",
    )


def _path(text: str, scheme: str) -> Path:
    """Read a path, in which a shell leaves `~` alone when it stands behind a scheme.

    Raises:
        UsageError: that is nobody's home.
    """
    try:
        return Path(text.removeprefix(scheme)).expanduser()
    except RuntimeError:
        hint = f"write the path in full; if a folder is called like that, {scheme}./~..."
        raise UsageError(f"'{text}' names a home that is not known", hint=hint) from None


def _is_file(text: str) -> bool:
    """Tell whether somebody forgot the scheme: a suffix says so, or what is in such a file."""
    if text.endswith(_SUFFIXES):
        return True
    try:
        with Path(text).open("rb") as file:
            return file.read(len(_MAGIC)) == _MAGIC
    except (OSError, ValueError):
        return False

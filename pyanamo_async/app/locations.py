"""Where a table is and where output goes, as people write them.

A table is the name of a DynamoDB table, `sqlite:PATH`, or `memory:`; output goes to `BUCKET`, `s3://BUCKET/PREFIX`,
`file:DIR`, or `memory:`.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pyanamo_async.errors import UsageError

SQLITE, FOLDER, S3, LOGS, MEMORY = "sqlite:", "file:", "s3://", "logs://", "memory:"
DEFAULT_FOLDER = "pyanamo-logs"
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
    """A DynamoDB table."""

    name: str

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True, slots=True)
class Memory:
    """This process's memory: a table, or output, that is gone when its owner is closed."""

    def __str__(self) -> str:
        return MEMORY


@dataclass(frozen=True, slots=True)
class Folder:
    """A folder for output."""

    path: Path
    key: str

    def __str__(self) -> str:
        return f"{FOLDER}{self.path}"


@dataclass(frozen=True, slots=True)
class Bucket:
    """A bucket for output, below a prefix."""

    name: str
    prefix: str

    def __str__(self) -> str:
        return f"{S3}{self.name}/{self.prefix}"


TableAddress = SqliteTable | DynamoTable | Memory
OutputAddress = Folder | Bucket | Memory


def beside(table: TableAddress, suffix: str) -> TableAddress:
    """Return the address of a table in the same place, with `suffix` behind its name.

    Raises:
        UsageError: the name is too long.
    """
    match table:
        case SqliteTable(path=path):
            return SqliteTable(path.with_name(f"{path.stem}{suffix}{path.suffix}"))
        case DynamoTable(name=name):
            return parse_table(f"{name}{suffix}")
        case Memory():
            return table


def parse_table(text: str) -> TableAddress:
    """Parse the address of a table.

    Raises:
        UsageError: `text` is no such address.
    """
    if text == MEMORY:
        return Memory()
    if text.startswith(SQLITE):
        if not text.removeprefix(SQLITE):
            raise UsageError(f"`table` '{text}' names no file", hint="write it like sqlite:pyanamo.db")
        return SqliteTable(_path(text, SQLITE))
    if _is_file(text):
        raise UsageError(f"`table` '{text}' is the name of a file", hint=f"did you mean {SQLITE}{text}?")
    if _TABLE_NAME.fullmatch(text):
        return DynamoTable(text)
    raise UsageError(
        f"`table` '{text}' is neither a DynamoDB table nor a SQLite file",
        hint="give a name of 3 to 255 letters, digits, '_', '-', '.', or sqlite:PATH",
    )


def default_output(table: TableAddress, *, key: str) -> OutputAddress | None:
    """Return where the output of a table goes when nobody says: beside a SQLite file, whatever the current folder is.

    None for a DynamoDB table.
    """
    match table:
        case SqliteTable(path=path):
            file = path.resolve() if path.is_symlink() else path  # as SQLite keeps its log
            return parse_output(f"{FOLDER}{file.parent / DEFAULT_FOLDER}", key=key)
        case Memory():
            return Memory()
    return None


def distinct_names(tables: Sequence[TableAddress]) -> list[str]:
    """Return a short name of each table: a file's without its ending, behind as many folders as tell it from others."""
    names = [_names(table) for table in tables]
    chosen = [0] * len(names)
    while True:
        current = [each[number] for each, number in zip(names, chosen, strict=True)]
        times = Counter(current)
        same = [at for at, name in enumerate(current) if times[name] > 1 and chosen[at] + 1 < len(names[at])]
        if not same:
            return current
        for at in same:
            chosen[at] += 1


def _names(table: TableAddress) -> list[str]:
    """Return the names of a table, the shortest first."""
    if not isinstance(table, SqliteTable):
        return [str(table)]
    *folders, _ = table.path.resolve().parts
    shortest = table.path.stem
    return [shortest, *("/".join([*folders[-depth:], shortest]) for depth in range(1, len(folders))), str(table)]


def root_of(output: OutputAddress) -> str:
    """Return the location below which output is stored there, without a slash at its end."""
    match output:
        case Folder(path=path, key=key):
            return f"{FOLDER}{path.absolute() / key}"
        case Bucket(name=name, prefix=prefix):
            return f"{S3}{name}/{prefix}".rstrip("/")
        case Memory():
            return MEMORY


def parse_output(text: str, *, key: str) -> OutputAddress:
    """Parse where output goes; `key` is the path below it.

    Raises:
        UsageError: `text` is neither a bucket nor a folder.
    """
    if text == MEMORY:
        return Memory()
    if {".", ".."} & {*key.split("/")}:
        raise UsageError(f"`bucket_key` '{key}' leads out of the bucket", hint="give a path below it, without . and ..")
    if text.startswith(FOLDER):
        if not text.removeprefix(FOLDER):
            raise UsageError(f"`bucket` '{text}' names no folder", hint=f"write it like {FOLDER}{DEFAULT_FOLDER}")
        path = _path(text, FOLDER)
        return Folder(path.resolve() if ".." in path.parts else path, key.strip("/"))  # records name no way around
    name, _, prefix = text.removeprefix(S3).partition("/")
    if _BUCKET_NAME.fullmatch(name) and (text.startswith(S3) or not prefix):
        return Bucket(name, "/".join(part for part in (prefix.strip("/"), key.strip("/")) if part))
    raise UsageError(
        f"`bucket` '{text}' is neither a bucket nor a folder",
        hint="give the name of a bucket, s3://bucket/prefix, or file:DIR",
    )


def _path(text: str, scheme: str) -> Path:
    """Parse a path; shells do not expand `~` behind a scheme.

    Raises:
        UsageError: the home folder is unknown.
    """
    try:
        return Path(text.removeprefix(scheme)).expanduser()
    except RuntimeError:
        hint = f"write the path in full; for a folder whose name begins with ~ write {scheme}./~..."
        raise UsageError(f"'{text}' names an unknown home folder", hint=hint) from None


def _is_file(text: str) -> bool:
    """Return whether `text` is a SQLite file whose scheme was forgotten, by its suffix or by its content."""
    if text.endswith(_SUFFIXES):
        return True
    try:
        with Path(text).open("rb") as file:
            return file.read(len(_MAGIC)) == _MAGIC
    except (OSError, ValueError):
        return False


def root_above(task_folder: str) -> OutputAddress:
    """Return the folder or bucket below which the folder of a task is stored, given its location."""
    return parse_output("/".join(task_folder.split("/")[:-4]) + "/", key="")  # the table, the item, the task, and ""


def address_of(location: str) -> OutputAddress:
    """Return the folder or bucket that holds a location like `file:/logs/a.gz` or `s3://bucket/key`."""
    if location.startswith(MEMORY):
        return Memory()
    container = location.removeprefix(S3).partition("/")[0] if location.startswith(S3) else FOLDER + "/"
    return parse_output(container, key="")

"""Files that are exported: written anew each time, under another name until they are complete."""

from __future__ import annotations

import os
import secrets
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import orjson

from pyanamo_async.core.tags import Misfit
from pyanamo_async.errors import UsageError
from pyanamo_async.host.modes import open_new
from pyanamo_async.operate.exporting.rows import Row


@contextmanager
def new_file(path: Path, umask: int, *, argument: str = "to") -> Iterator[IO[bytes]]:
    """Open a file that replaces the one of this name when it is complete, and leaves that alone if anything fails.

    Raises:
        UsageError: it cannot be written; `argument` is what gave it.
    """
    partial = path.with_name(f".{path.name[:100]}.{secrets.token_hex(4)}")
    try:
        descriptor = open_new(partial, umask)
        try:
            with os.fdopen(descriptor, "wb") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            partial.replace(path)
        finally:
            partial.unlink(missing_ok=True)
    except OSError as error:
        raise UsageError(
            f"`{argument}` {path} cannot be written: {error.strerror}", hint="choose another file"
        ) from error


async def write_tsv(rows: AsyncIterator[Row], columns: Sequence[str], file: IO[bytes]) -> None:
    """Write tab-separated lines below a header; rows that have more columns than `columns` all have the same."""
    first = await anext(rows, None)
    file.write(_line(list(first or columns)))
    if first is not None:
        file.write(_line(first.values()))
    async for row in rows:
        file.write(_line(row.values()))


async def write_jsonl(rows: AsyncIterator[Row], file: IO[bytes]) -> None:
    """Write JSON Lines."""
    async for row in rows:
        file.write(orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE))


def misfits_path(path: Path) -> Path:
    """Return where what did not fit into a file is listed."""
    return path.with_name(f"{path.stem}.misfits.jsonl")


def write_misfit(misfit: Misfit, file: IO[bytes]) -> None:
    """Write a misfit as a line of JSON."""
    file.write(orjson.dumps(misfit_row(misfit), option=orjson.OPT_APPEND_NEWLINE))


def misfit_row(misfit: Misfit) -> Row:
    """Return a misfit under the names of the columns that list it."""
    return {
        "itemID": misfit.item_id,
        "Task": misfit.task,
        "Line": misfit.line or None,
        "Tag": misfit.tag or None,
        "Why": misfit.why,
    }


def _line(values: object) -> bytes:
    cells = ("" if value is None else str(value).replace("\t", " ").replace("\n", " ") for value in values)  # type: ignore[attr-defined]
    return "\t".join(cells).encode(errors="replace") + b"\n"

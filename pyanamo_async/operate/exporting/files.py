"""Files that a person names for a page, a trace or rows: written anew each time."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

import orjson

from pyanamo_async.core.tags import Misfit
from pyanamo_async.errors import UsageError
from pyanamo_async.host.new_file import new_file
from pyanamo_async.operate.exporting.rows import Row


class Writable(Protocol):
    """A file that is open for bytes."""

    def write(self, data: bytes, /) -> object:
        """Write bytes."""
        ...

    def flush(self) -> object:
        """Write what is still held back."""
        ...


def path_or_file(to: str | Path | Writable) -> Path | Writable:
    """Return where an argument says that something is to be written."""
    return Path(to) if isinstance(to, str) else to


@contextmanager
def named_file(
    to: Path | Writable, *, argument: str = "to", umask: int | None = None, may_wait: bool = True
) -> Iterator[Writable]:
    """Open a file as `host.new_file` does, or take one that is open and stays so.

    Raises:
        UsageError: it cannot be written; `argument` is what gave it.
    """
    if not isinstance(to, Path):
        yield to
        to.flush()
        return
    try:
        with new_file(to, umask=umask, durable=True, may_wait=may_wait) as file:
            yield file
    except OSError as error:
        raise UsageError(
            f"`{argument}` {to} cannot be written: {error.strerror}", hint="choose another file"
        ) from error


async def write_tsv(rows: AsyncIterator[Row], columns: Sequence[str], file: Writable) -> None:
    """Write tab-separated lines below a header; rows that have more columns than `columns` all have the same."""
    first = await anext(rows, None)
    file.write(_line(list(first or columns)))
    if first is not None:
        file.write(_line(first.values()))
    async for row in rows:
        file.write(_line(row.values()))


async def write_jsonl(rows: AsyncIterator[Row], file: Writable) -> None:
    """Write JSON Lines."""
    async for row in rows:
        file.write(orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE))


def misfits_path(path: Path) -> Path:
    """Return where what did not fit into a file is listed."""
    return path.with_name(f"{path.stem}.misfits.jsonl")


def write_misfit(misfit: Misfit, file: Writable) -> None:
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

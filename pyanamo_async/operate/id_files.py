"""Read ids of items from a file: one in each line, or a column of a table."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from pyanamo_async.errors import UsageError
from pyanamo_async.operate.spool import SpooledIds

STDIN = "-"
COLUMN = "itemID"


def read_ids(file: str | Path) -> SpooledIds:
    """Read ids of items, for `Selection(ids=...)`, from a file in UTF-8, or from standard input with `-`.

    There may be very many: they are kept in a temporary file. A line is one id, without blanks around it, or, below a
    header that names it, the column `itemID` of what `pyanamo list --tsv` prints. Empty lines are skipped.

    Raises:
        UsageError: the file cannot be read, names nothing, or is not UTF-8.
    """
    ids, name = SpooledIds(), "standard input" if str(file) == STDIN else str(file)
    try:
        with _opened(file) as lines:
            column: int | None = None
            for number, line in enumerate(lines, start=1):
                try:
                    text = line.decode()
                except UnicodeDecodeError:
                    raise UsageError(f"line {number} of {name} is not UTF-8", hint="ids of items are text") from None
                cells = [cell.strip() for cell in text.split("\t")]
                if number == 1 and COLUMN in cells:
                    column = cells.index(COLUMN)
                    continue
                item_id = text.strip() if column is None else "".join(cells[column : column + 1])
                if item_id:
                    ids.add(item_id)
    except OSError as error:
        raise UsageError(f"{name} cannot be read: {error.strerror}") from error
    if not ids:
        raise UsageError(f"{name} names no items", hint="give an itemID in each line")
    return ids


@contextmanager
def _opened(file: str | Path) -> Iterator[BinaryIO]:
    if str(file) == STDIN:
        yield sys.stdin.buffer
        return
    with Path(file).open("rb") as opened:
        yield opened

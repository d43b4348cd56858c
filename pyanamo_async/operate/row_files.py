"""Rows of any number that wait in a file, so that memory does not grow with them: to be sorted, or for their columns.

Sorted, numbers come first, the largest at the top, then texts and times in their order; rows without a value come last,
also when it is reversed.
"""

from __future__ import annotations

import json
import sqlite3
import tempfile
from collections.abc import AsyncIterable, AsyncIterator, Callable, Mapping
from contextlib import closing
from typing import Any, TypeVar

import msgspec
import orjson

from pyanamo_async.operate.batches import batches

T = TypeVar("T")
BATCH = 500
FILE = ""  # one without a name, which SQLite deletes
ORDER = "SELECT row FROM rows ORDER BY key IS NULL, typeof(key) = 'text', iif(typeof(key) = 'text', 0, -key), key"
REVERSED = (
    "SELECT row FROM rows ORDER BY key IS NULL, typeof(key) <> 'text', iif(typeof(key) = 'text', 0, key), key DESC"
)
Row = dict[str, Any]
IN_MEMORY_BYTES = 8 << 20  # beyond which rows go to a file


async def sort_rows(
    rows: AsyncIterable[T],
    key: Callable[[T], object],
    decode: Callable[[bytes], T],
    *,
    reverse: bool = False,
    limit: int | None,
) -> AsyncIterator[T]:
    """Yield rows sorted by a key, the first `limit` of them; `decode` reads them from MessagePack."""
    encode = msgspec.msgpack.Encoder().encode
    with closing(sqlite3.connect(FILE)) as connection:
        connection.execute("CREATE TABLE rows (key, row BLOB)")
        async for batch in batches(rows, BATCH):
            values = ((_sortable(key(row)), encode(row)) for row in batch)
            connection.executemany("INSERT INTO rows VALUES (?, ?)", values)
        query = f"{REVERSED if reverse else ORDER}, rowid LIMIT ?"
        for [row] in connection.execute(query, (-1 if limit is None else limit,)):
            yield decode(row)


def _sortable(value: object) -> object:
    return value if value is None or isinstance(value, str | int | float) else json.dumps(value)


async def with_same_columns(
    rows: AsyncIterable[Mapping[str, Any]], fixed: Mapping[str, Any], order: Callable[[str], Any]
) -> AsyncIterator[Row]:
    """Yield rows that all have the same columns, None where one had none, once the last is read.

    The columns are those of `fixed`, then the others as `order` sorts them.
    """
    with tempfile.SpooledTemporaryFile(IN_MEMORY_BYTES) as file:
        others: dict[str, None] = {}
        async for row in rows:
            others |= dict.fromkeys(name for name in row if name not in fixed)
            file.write(orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE))
        blank = {**dict.fromkeys(fixed), **dict.fromkeys(sorted(others, key=order))}
        file.seek(0)
        for line in file:
            yield blank | orjson.loads(line)

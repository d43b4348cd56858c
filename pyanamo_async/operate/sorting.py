"""Sort rows of any number: they wait in a file of SQLite's, so that memory does not grow with them.

Numbers come first, the largest at the top, then texts and times in their order; rows without a value come last, also
when it is reversed.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import AsyncIterable, AsyncIterator, Callable
from contextlib import closing
from typing import TypeVar

import msgspec

from pyanamo_async.operate.batches import batches

T = TypeVar("T")
BATCH = 500
FILE = ""  # one without a name, which SQLite deletes
ORDER = "SELECT row FROM rows ORDER BY key IS NULL, typeof(key) = 'text', iif(typeof(key) = 'text', 0, -key), key"
REVERSED = (
    "SELECT row FROM rows ORDER BY key IS NULL, typeof(key) <> 'text', iif(typeof(key) = 'text', 0, key), key DESC"
)


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

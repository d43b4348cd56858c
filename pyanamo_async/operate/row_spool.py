"""Rows of any number that wait in a file until all of their columns are known."""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterable, AsyncIterator, Callable, Mapping
from typing import Any

import orjson

Row = dict[str, Any]
IN_MEMORY_BYTES = 8 << 20  # beyond which rows go to a file


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

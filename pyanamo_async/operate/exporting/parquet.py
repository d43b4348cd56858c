"""Write Parquet with pyarrow, which the extra `[parquet]` installs."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from importlib.util import find_spec
from typing import Any

from pyanamo_async.core.stored.queue_key import parse_time
from pyanamo_async.core.tags import TagKind
from pyanamo_async.errors import UsageError
from pyanamo_async.operate.exporting.files import Writable
from pyanamo_async.operate.exporting.rows import TIMES, Row

BATCH = 10_000  # rows of a row group


def require_pyarrow() -> None:
    """Raise `UsageError` if pyarrow is not installed."""
    if not find_spec("pyarrow"):
        raise UsageError(
            "`to` is a Parquet file, and pyarrow is not installed", hint="pip install 'pyanamo-async[parquet]'"
        )


async def write_parquet(rows: AsyncIterator[Row], columns: Mapping[str, type | TagKind], file: Writable) -> None:
    """Write rows in groups; columns that are not in `columns` hold text, and all rows have the same."""
    import pyarrow as pa
    from pyarrow import parquet

    kinds: dict[type | TagKind, Any] = {
        str: pa.string(),
        int: pa.int64(),
        float: pa.float64(),
        TagKind.TEXT: pa.string(),
        TagKind.INT: pa.int64(),
        TagKind.FLOAT: pa.float64(),
    }
    first = await anext(rows, None)
    schema = pa.schema(
        [
            (name, pa.timestamp("ms", tz="UTC") if name in TIMES else kinds[columns.get(name, str)])
            for name in first or columns
        ]
    )
    with parquet.ParquetWriter(file, schema) as writer:
        batch = [] if first is None else [_with_times(first)]
        async for row in rows:
            batch.append(_with_times(row))
            if len(batch) == BATCH:
                writer.write_table(pa.Table.from_pylist(batch, schema=schema))
                batch.clear()
        if batch:
            writer.write_table(pa.Table.from_pylist(batch, schema=schema))


def _with_times(row: Row) -> Row:
    return row | {name: parse_time(row[name]) for name in TIMES if row[name] is not None}

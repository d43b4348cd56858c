"""Check that a table and a folder of this machine can be written, as workers write them, without changing anything."""

from __future__ import annotations

from collections.abc import AsyncIterator

from pyanamo_async.errors import OutputError, StoreError, Unavailable
from pyanamo_async.operate.findings import Finding, FindingKind
from pyanamo_async.ports import OutputStore, Store

NOBODY = "#nobody"  # no worker's id begins so


async def check_table_writable(store: Store) -> AsyncIterator[Finding]:
    """Find a table that cannot be written; raise `TableMissing` or `SchemaMismatch` where there is none to write."""
    await store.describe()
    try:
        await store.forget(NOBODY)  # a write, of which nothing is left
    except (StoreError, Unavailable) as exc:
        yield Finding(FindingKind.READ_ONLY, exc.what, None, exc.hint)


async def check_output_writable(outputs: OutputStore) -> AsyncIterator[Finding]:
    """Find a place for output that cannot be written."""
    try:
        await outputs.check()
    except (OutputError, Unavailable) as exc:
        yield Finding(FindingKind.OUTPUT_DENIED, exc.what, None, exc.hint)

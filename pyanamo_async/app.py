"""WIRES: the only place that knows which adapter is real.

Adapters are imported where they are chosen: whoever works on a SQLite file never pays for AWS.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from pyanamo_async.addresses import Folder, SqliteTable
from pyanamo_async.ports import Journal, OutputStore, Store
from pyanamo_async.settings import Settings


@asynccontextmanager
async def open_store(settings: Settings) -> AsyncIterator[Store]:
    """Open the table; nothing is read or created before a method is called."""
    match settings.table:
        case SqliteTable(path=path):
            from pyanamo_async.store.sqlite import SqliteStore

            store = SqliteStore(path)
            try:
                yield store
            finally:
                await store.close()


@asynccontextmanager
async def open_outputs(settings: Settings) -> AsyncIterator[OutputStore]:
    """Open where output goes.

    Raises:
        UsageError: nobody said where that is.
    """
    match settings.need_output():
        case Folder(path=path, key=key):
            from pyanamo_async.outputs.files import FileOutputs

            outputs = FileOutputs(path, key)
            try:
                yield outputs
            finally:
                await outputs.close()


def run_worker(settings: Settings, journal: Journal) -> int:
    """Run a worker to its end and return the exit status that says how it was."""
    from pyanamo_async.execution import run
    from pyanamo_async.station import work

    async def main() -> int:
        async with open_store(settings) as store, open_outputs(settings) as outputs:
            return await work(settings, store=store, outputs=outputs, journal=journal)

    return run(main(), loop=settings.running.loop)

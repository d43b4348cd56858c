"""A worker process in small: `python -m tests.contract.claimer TABLE WORKER`.

Creates the table if nobody has, claims until nothing is left, and prints each id once its completion is acknowledged.
"""

from __future__ import annotations

import asyncio
import sys

from pyanamo_async.store.sqlite import SqliteStore
from tests.contract.steps import settled
from tests.fakes import NOON


async def work(path: str, worker: str) -> None:
    """Claim and complete, eight at a time, until nothing is left."""
    store = SqliteStore(path)
    await store.create(shards=1)
    await asyncio.gather(*(_slot(store, worker) for _ in range(8)))
    await store.close()


async def _slot(store: SqliteStore, worker: str) -> None:
    while claims := await store.claim(worker, limit=1, now=NOON):
        await store.save(claims[0], settled(claims[0]))
        print(claims[0].item_id, flush=True)


if __name__ == "__main__":
    asyncio.run(work(*sys.argv[1:]))

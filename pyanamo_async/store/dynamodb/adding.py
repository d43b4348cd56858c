"""Add items in batches of conditional inserts, as fast as the table takes them.

That an item is in the table already shows by its insert failing alone. Statements that are throttled are repeated while
others get through, and for a few seconds when none does.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from functools import partial

from pyanamo_async.core.items import Item, State
from pyanamo_async.core.stored.task_record import Row
from pyanamo_async.core.values import replace
from pyanamo_async.errors import Unavailable
from pyanamo_async.ports import AddResult
from pyanamo_async.store.dynamodb.rows import stored
from pyanamo_async.store.dynamodb.table import MOST_STATEMENTS, PATIENCE_S, Reply, Table, together
from pyanamo_async.store.dynamodb.writes import Insert, overwrite


class Adding:
    """Adds items to one table."""

    def __init__(self, table: Table, shards: int, *, rng: random.Random) -> None:
        self._table, self._shards, self._rng = table, shards, rng

    async def add(self, items: Sequence[Item], *, replace: bool) -> list[AddResult]:
        """Add items and say in their order what became of each; see `ports.Store.add`."""
        first = {item.item_id: item for item in reversed(items)}  # a batch takes no row twice
        if len(first) < len(items):
            return [result for item in items for result in await self.add([item], replace=replace)]
        chunks = (items[at : at + MOST_STATEMENTS] for at in range(0, len(items), MOST_STATEMENTS))
        results = await together(self._add_chunk(chunk, replace) for chunk in chunks)
        return [result for chunk in results for result in chunk]

    async def _add_chunk(self, items: Sequence[Item], replace: bool) -> list[AddResult]:
        met = await self._insert(items)
        there = [self._replace(item) for item in items if replace and not met[item.item_id]]
        replaced = iter(await together(there))
        return [
            AddResult.ADDED if met[item.item_id] else next(replaced) if replace else AddResult.SKIPPED for item in items
        ]

    async def _insert(self, items: Sequence[Item]) -> dict[str, bool]:
        """Insert what is not there; tell by id what was not."""
        met: dict[str, bool] = {}
        left = items
        loop = asyncio.get_running_loop()
        until = loop.time() + PATIENCE_S
        while True:
            replies = await self._table.patiently(partial(self._send, left))
            met |= {
                item.item_id: reply.met for item, reply in zip(left, replies, strict=True) if isinstance(reply, Reply)
            }
            trouble = [reply for reply in replies if isinstance(reply, Exception)]
            if not trouble:
                return met
            if len(trouble) < len(left):
                until = loop.time() + PATIENCE_S
            for refused in trouble:
                if not isinstance(refused, Unavailable) or loop.time() > until:
                    raise refused
            left = [item for item in left if item.item_id not in met]

    async def _send(self, items: Sequence[Item]) -> list[Reply | Exception]:
        return await self._table.send([Insert(self._row(item)) for item in items])

    async def _replace(self, item: Item) -> AddResult:
        """Overwrite the row that was seen, unless it is locked; look again when it has changed meanwhile."""
        while True:
            seen = await self._table.get(item.item_id) or {}
            if seen.get("ItemState") == State.LOCKED:
                return AddResult.LOCKED
            row = self._row(replace(item, attempt=seen.get("Attempt", 0)))
            request = overwrite(
                row, self._table.name, expected={name: seen.get(name) for name in ("ItemState", "Attempt")}
            )
            reply = await self._table.patiently(
                partial(self._table.write_alone, self._table.client, "put_item", request)
            )
            if reply.met:
                return AddResult.REPLACED if seen else AddResult.ADDED

    def _row(self, item: Item) -> Row:
        return stored(item, shards=self._shards, tiebreak=f"{self._rng.getrandbits(32):08x}")

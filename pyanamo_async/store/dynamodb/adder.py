"""Add items in batches of conditional inserts, as fast as the table takes them.

An insert of an item that exists fails alone. Throttled inserts are repeated while others succeed, and for a few
seconds when none does.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from functools import partial

from pyanamo_async.core.items import Item, State
from pyanamo_async.core.stored.columns import Row
from pyanamo_async.core.values import replace
from pyanamo_async.errors import Unavailable
from pyanamo_async.ports import AddResult
from pyanamo_async.store.dynamodb.rows import stored
from pyanamo_async.store.dynamodb.table import MAX_STATEMENTS, Reply, Table, gather_all
from pyanamo_async.store.dynamodb.writes import Insert, overwrite


class ItemAdder:
    """Adds items to one table."""

    def __init__(self, table: Table, shards: int, *, rng: random.Random) -> None:
        self._table, self._shards, self._rng = table, shards, rng

    async def add(self, items: Sequence[Item], *, replace: bool) -> list[AddResult]:
        """Add items and return in their order what became of each; see `ports.ItemQueue.add`."""
        first = {item.item_id: item for item in reversed(items)}  # a batch takes no row twice
        if len(first) < len(items):
            return [result for item in items for result in await self.add([item], replace=replace)]
        chunks = (items[at : at + MAX_STATEMENTS] for at in range(0, len(items), MAX_STATEMENTS))
        results = await gather_all(self._add_chunk(chunk, replace) for chunk in chunks)
        return [result for chunk in results for result in chunk]

    async def _add_chunk(self, items: Sequence[Item], replace: bool) -> list[AddResult]:
        inserted: dict[str, bool] = {}
        while len(inserted) < len(items):
            left = [item for item in items if item.item_id not in inserted]
            inserted |= await self._table.retry(partial(self._insert, left))
        existing = [self._replace(item) for item in items if replace and not inserted[item.item_id]]
        replaced = iter(await gather_all(existing))
        return [
            AddResult.ADDED if inserted[item.item_id] else next(replaced) if replace else AddResult.SKIPPED
            for item in items
        ]

    async def _insert(self, items: Sequence[Item]) -> dict[str, bool]:
        """Insert new items; return by id whether each was inserted or existed. Throttled items are missing."""
        async with self._table.limiter:
            replies = await self._table.send([Insert(self._row(item)) for item in items])
        errors = [reply for reply in replies if isinstance(reply, Exception)]
        for error in errors:
            if not isinstance(error, Unavailable) or len(errors) == len(items):
                raise error
        return {item.item_id: reply.met for item, reply in zip(items, replies, strict=True) if isinstance(reply, Reply)}

    async def _replace(self, item: Item) -> AddResult:
        """Overwrite the row that was read, unless it is locked; read it again when it has changed meanwhile."""
        while True:
            seen = await self._table.get(item.item_id) or {}
            if seen.get("ItemState") == State.LOCKED:
                return AddResult.LOCKED
            row = self._row(replace(item, attempt=seen.get("Attempt", 0)))
            request = overwrite(
                row, self._table.name, expected={name: seen.get(name) for name in ("ItemState", "Attempt")}
            )
            reply = await self._table.call_with_retry(
                partial(self._table.write_alone, self._table.client, "put_item", request)
            )
            if reply.met:
                return AddResult.REPLACED if seen else AddResult.ADDED

    def _row(self, item: Item) -> Row:
        return stored(item, shards=self._shards, tiebreak=f"{self._rng.getrandbits(32):08x}")

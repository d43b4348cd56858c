"""Add items in batches of conditional inserts, as fast as the table takes them.

An insert of an item that exists fails alone. Throttled writes are repeated while others succeed, and for a few
seconds when none does.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from functools import partial

from pyanamo_async.core.items import Item, State
from pyanamo_async.core.stored.columns import Row, count, read_as
from pyanamo_async.core.values import replace
from pyanamo_async.errors import Unavailable
from pyanamo_async.ports import AddResult
from pyanamo_async.store.dynamodb.rows import stored
from pyanamo_async.store.dynamodb.table import MAX_STATEMENTS, Reply, Table, gather_all
from pyanamo_async.store.dynamodb.writes import KEY, Insert, Path, Update, Write


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
        results: dict[str, AddResult] = {}
        seen: dict[str, Row] = {}  # rows to overwrite, read again when they have changed meanwhile
        while left := [item for item in items if item.item_id not in results]:
            writes = [self._write(item, seen.get(item.item_id)) for item in left]
            unmet: list[str] = []
            for key, is_met in (await self._table.retry(partial(self._send, writes))).items():
                if is_met:
                    results[key] = AddResult.REPLACED if key in seen else AddResult.ADDED
                elif replace:
                    unmet.append(key)
                    seen.pop(key, None)
                else:
                    results[key] = AddResult.SKIPPED
            for row in await self._table.get_many(unmet):
                if row.get("ItemState") == State.LOCKED:
                    results[row[KEY]] = AddResult.LOCKED
                else:
                    seen[row[KEY]] = row
        return [results[item.item_id] for item in items]

    async def _send(self, writes: Sequence[Write]) -> dict[str, bool]:
        """Return by key whether each write met its condition. Throttled writes are missing."""
        replies = await self._table.send(writes)
        errors = [reply for reply in replies if isinstance(reply, Exception)]
        for error in errors:
            if not isinstance(error, Unavailable) or len(errors) == len(writes):
                raise error
        return {write.key: reply.met for write, reply in zip(writes, replies, strict=True) if isinstance(reply, Reply)}

    def _write(self, item: Item, seen: Row | None) -> Write:
        """Insert an item, or overwrite the row that was read with all that it has but attempts and mark."""
        tiebreak = f"{self._rng.getrandbits(32):08x}"
        row = stored(_continued(item, seen) if seen else item, shards=self._shards, tiebreak=tiebreak)
        if not seen:
            return Insert(row)
        expected = {name: seen.get(name) for name in ("Queue", "Queue_Key", "ItemState")}  # what every claim changes
        sets: dict[Path, object] = {(name,): value for name, value in row.items() if name != KEY}
        return Update(item.item_id, expected, sets, removes=[(name,) for name in seen if name not in row])


def _continued(item: Item, seen: Row) -> Item:
    """Return an item that takes the place of a row, with the attempts that it had and its mark, if they can be read."""
    mark = seen.get("Mark")
    try:
        attempt = read_as(count, "Attempt", seen.get("Attempt", 0))
    except ValueError:
        attempt = 0
    return replace(item, attempt=attempt, mark=mark if mark and isinstance(mark, str) else item.mark)

"""Claim items: find candidates in the index, contend for them, keep the rest of a page as hints.

Laws:
1. Exactly one worker wins an item, by a write conditional on what was seen: the index is a hint, the write the truth.
2. A claim that was never answered is repeated with the same token, and found by it.
3. What was won is returned, whatever fails afterwards.
4. What this store has just put back is due although the index does not show it yet: nobody goes home over it.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from pyanamo_async.core.items import CLAIMABLE, Item, State
from pyanamo_async.core.stored.queue_key import READY, due, queue, shard_of
from pyanamo_async.core.stored.record import decode
from pyanamo_async.core.stored.task_record import Row
from pyanamo_async.errors import PyanamoError, Unavailable
from pyanamo_async.ports import INDEX_LAG_AT_MOST
from pyanamo_async.store.dynamodb.candidate_cache import CandidateCache
from pyanamo_async.store.dynamodb.codec import marshal_row, unmarshal_row
from pyanamo_async.store.dynamodb.rows import QUEUE_INDEX, Candidate, claiming
from pyanamo_async.store.dynamodb.table import Reply, Table, gather_all

PAGE = 25
MAX_RETURNED = 100
IDLE_TTL_S = 5.0  # of a head, for each shard: an idle worker reads one every 4 s
IDLE_TTL_WALL_TIME_S = 240.0  # at least, for what workers leave at their wall time: that is announced


class QueueClaimer:
    """The claims of one store."""

    def __init__(self, table: Table, shards: int, *, rng: random.Random) -> None:
        self._table, self.shards, self._rng = table, shards, rng
        idle_s = shards * IDLE_TTL_S
        idle_wall_time_s = max(idle_s, IDLE_TTL_WALL_TIME_S)
        self._caches = {
            state: CandidateCache(shards, rng=rng, idle_ttl_s=idle_s if state is State.TODO else idle_wall_time_s)
            for state in State
        }
        self._returned: dict[str, float] = {}  # what this store has put back, and when

    async def claim(self, worker: str, *, limit: int, now: datetime, state: State) -> list[Item]:
        """Lock up to `limit` items; see `ports.ItemQueue.claim`."""
        cache = self._caches[state]
        won: list[Item] = []
        shards: list[int] | None = None
        try:
            while len(won) < limit:
                candidates = cache.take(limit - len(won), now_s=_now_s())
                if candidates:
                    won += await self._contend(cache, candidates, worker, now)
                    continue
                if shards is None:
                    shards = cache.shards_to_query(now, now_s=_now_s())
                if not shards:
                    break
                await self._query(cache, state, shards.pop(), now)
        except PyanamoError:
            if not won:
                raise
        return won

    async def next_due(self, state: State, *, consistent: bool = False) -> datetime | None:
        """Return when the next item may be claimed; see `ports.ItemQueue.next_due`."""
        cache = self._caches[state]
        shards = range(self.shards) if consistent else cache.shards_of_unknown_due(now_s=_now_s())
        await gather_all(self._read_head(cache, state, shard) for shard in shards)
        return cache.next_due() or await self._due_of_returned(state)

    def note_write(self, *forms: Item) -> None:
        """Note that this store wrote an item, in these forms before and after."""
        shard, now_s = shard_of(forms[0].item_id, self.shards), _now_s()
        for state in {form.state for form in forms}:
            self._caches[state].forget_shard(shard, now_s=now_s)
        self._returned.pop(forms[-1].item_id, None)
        if forms[-1].state in CLAIMABLE:
            self._returned[forms[-1].item_id] = now_s
        if len(self._returned) > MAX_RETURNED:
            del self._returned[next(iter(self._returned))]

    def expire_heads(self) -> None:
        """Note that items have come which the index may not show yet."""
        for cache in self._caches.values():
            cache.expire_heads(now_s=_now_s())

    async def _contend(
        self, cache: CandidateCache, candidates: Sequence[Candidate], worker: str, now: datetime
    ) -> list[Item]:
        """Try to claim them all, each for itself; raise only when none was won."""
        claims = (self._table.save(claiming(each, worker=worker, now=now)) for each in candidates)
        replies = await asyncio.gather(*claims, return_exceptions=True)
        won: list[Item] = []
        is_lost = False
        error: PyanamoError | None = None
        for candidate, reply in zip(candidates, replies, strict=True):
            try:
                row = await self._row_if_won(candidate, worker, reply)
            except Unavailable as unavailable:
                cache.keep_unanswered(candidate)
                error = error if isinstance(error, Unavailable) and not error.throttled else unavailable
            except PyanamoError as refused:
                error = refused
            else:
                if row is None:
                    is_lost = True
                else:
                    cache.forget_head(shard_of(candidate.item_id, self.shards), now_s=_now_s())
                    won.append(decode(row))
        if is_lost:
            cache.drop_hints()
        if error and not won:
            raise error
        return won

    async def _row_if_won(self, candidate: Candidate, worker: str, reply: Reply | BaseException) -> Row | None:
        if isinstance(reply, BaseException):
            raise reply
        if reply.met:
            return reply.row or await self._table.get(candidate.item_id)
        if candidate.unanswered or reply.resent:
            row = reply.row or await self._table.get(candidate.item_id)
            if row and row.get("lockID") == candidate.token and row["ItemState"] == State.LOCKED:
                return row if row["InstanceID"] == worker else None
        return None

    async def _query(self, cache: CandidateCache, state: State, shard: int, now: datetime) -> None:
        """Read a page of candidates: from anywhere in the best priority of a long queue, else from its head."""
        prefix = cache.random_start(shard, now_s=_now_s())
        rows = await self._page_anywhere(state, shard, prefix) if prefix else []
        if not rows:
            rows = await self._page(state, shard)
            cache.note_head(shard, rows[0]["Queue_Key"] if rows else None, now_s=_now_s())
            if prefix := _common_priority(rows):  # everybody sees this head: read elsewhere
                cache.note_random_start(shard, prefix, now_s=_now_s())
                rows = await self._page_anywhere(state, shard, prefix) or rows
        cache.add_hints((self._candidate(row) for row in rows if due(row["Queue_Key"]) <= now), now_s=_now_s())

    async def _page_anywhere(self, state: State, shard: int, prefix: str) -> list[dict[str, Any]]:
        return await self._page(state, shard, start=f"{prefix}{self._rng.getrandbits(32):08x}", end=f"{prefix}~")

    async def _due_of_returned(self, state: State) -> datetime | None:
        """Read the rows themselves of what this store has put back lately."""
        since_s = _now_s() - INDEX_LAG_AT_MOST.total_seconds()
        rows = await self._table.get_many(key for key, at_s in self._returned.items() if at_s > since_s)
        return min((due(row["Queue_Key"]) for row in rows if row.get("ItemState") == state), default=None)

    async def _read_head(self, cache: CandidateCache, state: State, shard: int) -> None:
        rows = await self._page(state, shard, limit=1)
        cache.note_head(shard, rows[0]["Queue_Key"] if rows else None, now_s=_now_s())

    async def _page(
        self, state: State, shard: int, *, start: str = " ", end: str = "~", limit: int = PAGE
    ) -> list[dict[str, Any]]:
        query = {
            "IndexName": QUEUE_INDEX,
            "KeyConditionExpression": "Queue = :queue AND Queue_Key BETWEEN :start AND :end",
            "ExpressionAttributeValues": marshal_row({":queue": queue(state, shard), ":start": start, ":end": end}),
            "ProjectionExpression": "itemID, Queue, Queue_Key, Attempt",
            "Limit": limit,
        }
        async for page in self._table.pages(query):
            return [unmarshal_row(item) for item in page["Items"]]
        return []

    def _candidate(self, row: dict[str, Any]) -> Candidate:
        token = f"{self._rng.getrandbits(64):016x}"
        return Candidate(row["itemID"], row["Queue"], row["Queue_Key"], row.get("Attempt", 0), token)


def _common_priority(rows: Sequence[dict[str, Any]]) -> str:
    """Return how all keys of a full page of claimable items begin; empty when they differ or the page is not full."""
    if len(rows) < PAGE:
        return ""
    first, last = rows[0]["Queue_Key"][:2], rows[-1]["Queue_Key"][:2]
    return first if first == last and first.startswith(READY) else ""


def _now_s() -> float:
    return asyncio.get_running_loop().time()

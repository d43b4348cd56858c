"""Claim items: find candidates in the index, contend for them, keep the rest of a page as hints.

Laws:
1. Exactly one worker wins an item, by a write conditional on what was seen: the index is a hint, the write the truth.
2. A claim that was never answered is repeated with the same token, and found by it.
3. What was won is returned, whatever fails afterwards.
4. A candidate, or a claimed row, that cannot be read is buried, and costs no other.
5. Items that only few workers take are in lanes of their own, which come first, the largest memory class first.
6. What this store has just put back is due although the index does not show it yet: nobody goes home over it.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from datetime import datetime

from pyanamo_async.core.items import Item, State
from pyanamo_async.core.queue_lanes import EVERYBODY, lane_of
from pyanamo_async.core.stored.bad_rows import BadRows, read_row
from pyanamo_async.core.stored.columns import Row
from pyanamo_async.core.stored.queue_key import READY, due, shard_of, within_lane
from pyanamo_async.core.stored.record import decode
from pyanamo_async.errors import BadRow, PyanamoError, RowTooLarge, Unavailable
from pyanamo_async.store.dynamodb.candidate_cache import CandidateCache, QueueCaches, Queued
from pyanamo_async.store.dynamodb.candidate_pages import Keys, candidate_page
from pyanamo_async.store.dynamodb.lanes import QueueLanes
from pyanamo_async.store.dynamodb.returned import ReturnedItems
from pyanamo_async.store.dynamodb.rows import Candidate, burying, candidate, claiming, is_buried
from pyanamo_async.store.dynamodb.table import Reply, Table, gather_all
from pyanamo_async.store.dynamodb.writes import KEY

PAGE = 25


class QueueClaimer:
    """The claims of one store."""

    def __init__(self, table: Table, shards: int, lanes: QueueLanes, *, rng: random.Random, bad_rows: BadRows) -> None:
        self._table, self.shards, self.lanes, self._rng, self._bad_rows = table, shards, lanes, rng, bad_rows
        self._caches = QueueCaches(shards, rng=rng)
        self._returned = ReturnedItems(table)

    async def claim(self, worker: str, *, limit: int, now: datetime, state: State) -> list[Item]:
        """Lock up to `limit` items; see `ports.ItemQueue.claim`."""
        won: list[Item] = []
        try:
            for queued in self._queues(state):
                await self._claim_in(queued, worker, won, limit=limit, now=now)
        except PyanamoError:
            if not won:
                raise
        return won

    async def _claim_in(self, queued: Queued, worker: str, won: list[Item], *, limit: int, now: datetime) -> None:
        """Add to what was `won`, up to the limit, from one queue."""
        cache, shards = self._caches.of(queued), None
        while len(won) < limit:
            candidates = cache.take(limit - len(won), now_s=_now_s())
            if candidates:
                claims, buried = await self._contend(cache, candidates, worker, now)
                won += claims
                shards = None if buried else shards  # there may be more behind what is gone
                continue
            if shards is None:
                shards = cache.shards_to_query(now, now_s=_now_s())
            if not shards:
                break
            await self._query(cache, queued, shards.pop(), now)

    @property
    def has_unanswered(self) -> bool:
        """Return whether a claim was never answered; see `ports.ItemQueue.has_unanswered_claims`."""
        return any(cache.has_unanswered for cache in self._caches.all())

    async def next_due(self, state: State, *, consistent: bool = False) -> datetime | None:
        """Return when the next item may be claimed; see `ports.ItemQueue.next_due`."""
        known, times = -1, set[datetime]()
        while known != len(self.lanes.known):  # else the queue showed a lane that is new
            known = len(self.lanes.known)
            times = {due for queued in self._queues(state) if (due := await self._due_in(queued, consistent))}
        if times:
            return min(times)
        return await self._returned.next_due(state, kind=self.lanes.kind, now_s=_now_s())

    async def _due_in(self, queued: Queued, consistent: bool) -> datetime | None:
        cache = self._caches.of(queued)
        shards = range(self.shards) if consistent else cache.shards_of_unknown_due(now_s=_now_s())
        await gather_all(self._read_head(cache, queued, shard) for shard in shards)
        return cache.next_due()

    def note_write(self, *forms: Item) -> None:
        """Note that this store wrote an item, in these forms before and after."""
        shard, now_s = shard_of(forms[0].item_id, self.shards), _now_s()
        for queued in {(form.state, lane_of(form) if form.state is State.TODO else EVERYBODY) for form in forms}:
            self._caches.of(queued).forget_shard(shard, now_s=now_s)
        self._returned.note(forms[-1], now_s=now_s)

    def expire_heads(self) -> None:
        """Note that items have come which the index may not show yet."""
        for cache in self._caches.all():
            cache.expire_heads(now_s=_now_s())

    async def bury(self, bad: BadRow, *, now: datetime) -> bool:
        """Bury a row that cannot be read; see `ports.ItemQueue.bury`."""
        self._bad_rows.note(bad)
        try:
            reply = await self._table.save(burying(bad, now=now))
        except RowTooLarge:
            reply = await self._table.save(burying(bad, now=now, has_room=False))
        return reply.met or is_buried(reply.row or await self._table.get(str(bad.row[KEY])), bad, now=now)

    async def _contend(
        self, cache: CandidateCache, candidates: Sequence[Candidate], worker: str, now: datetime
    ) -> tuple[list[Item], bool]:
        """Try to claim them all, each for itself; return what was won, and whether some were buried instead."""
        claims = (self._table.save(claiming(each, worker=worker, now=now)) for each in candidates)
        replies = await asyncio.gather(*claims, return_exceptions=True)
        won: list[Item] = []
        bad_rows: list[tuple[Candidate, BadRow]] = []
        is_lost = False
        errors: list[PyanamoError] = []
        for seen, reply in zip(candidates, replies, strict=True):
            try:
                item = await self._item_if_won(seen, worker, reply)
            except Unavailable as unavailable:
                cache.keep_unanswered(seen, throttled=unavailable.throttled)
                errors.append(unavailable)
            except BadRow as bad:
                bad_rows.append((seen, bad))
            except PyanamoError as refused:
                errors.append(refused)
            else:
                if item is None:
                    is_lost = True
                else:
                    cache.forget_head(_shard(seen), now_s=_now_s())
                    won.append(item)
        if is_lost:
            cache.note_lost_claim(now_s=_now_s())
        errors += await self._bury_all(cache, bad_rows, now)
        if errors and not won:
            raise min(errors, key=_rank)
        return won, bool(bad_rows)

    async def _bury_all(
        self, cache: CandidateCache, bad_rows: Sequence[tuple[Candidate, BadRow]], now: datetime
    ) -> list[PyanamoError]:
        """Bury claimed rows that cannot be read, together; those that were buried at first sight are done."""
        errors: list[PyanamoError] = []
        burials = (self.bury(bad, now=now) for seen, bad in bad_rows if bad is not seen.bad)
        answers = iter(await asyncio.gather(*burials, return_exceptions=True))
        for seen, bad in bad_rows:
            self._bad_rows.note(bad)
            cache.forget_head(_shard(seen), now_s=_now_s())
            answer = True if bad is seen.bad else next(answers)
            if isinstance(answer, Unavailable):
                cache.keep_unanswered(seen)  # claiming it again finds it
                errors.append(answer)
            elif isinstance(answer, BaseException):
                raise answer
            else:
                self._bad_rows.buried += answer
        return errors

    async def _item_if_won(self, seen: Candidate, worker: str, reply: Reply | BaseException) -> Item | None:
        """Return the item of a claim; None when it was lost.

        Raises:
            BadRow: it cannot be read; if that was seen before, it has been buried, by this write or another worker.
        """
        if isinstance(reply, RowTooLarge):
            raise BadRow(
                {KEY: seen.item_id, "Queue": seen.queue, "Queue_Key": seen.queue_key}, "it is too large to claim"
            )
        if isinstance(reply, BaseException):
            raise reply
        if seen.bad:
            raise seen.bad
        row = await self._row_if_won(seen, worker, reply)
        return read_row(row, decode) if row else None

    async def _row_if_won(self, seen: Candidate, worker: str, reply: Reply) -> Row | None:
        if reply.met:
            return reply.row or await self._table.get(seen.item_id)
        if seen.unanswered or reply.resent:
            row = reply.row or await self._table.get(seen.item_id)
            if row and row.get("lockID") == seen.token and row.get("ItemState") == State.LOCKED:
                return row if row.get("InstanceID") == worker else None
        return None

    async def _query(self, cache: CandidateCache, queued: Queued, shard: int, now: datetime) -> None:
        """Read a page of candidates: from anywhere in the best priority of a long queue, else from its head."""
        prefix = cache.random_start(shard, now_s=_now_s())
        rows = await self._page_anywhere(queued, shard, prefix) if prefix else []
        if not rows:
            rows = await self._page(queued, shard, limit=PAGE)
            cache.note_head(shard, rows[0]["Queue_Key"] if rows else None, now_s=_now_s())
            if prefix := _common_priority(rows):  # everybody sees this head: read elsewhere
                cache.note_random_start(shard, prefix, now_s=_now_s())
                rows = await self._page_anywhere(queued, shard, prefix) or rows
        cache.add_hints((self._candidate(row) for row in rows if due(row["Queue_Key"]) <= now), now_s=_now_s())

    async def _page_anywhere(self, queued: Queued, shard: int, prefix: str) -> list[Row]:
        keys = f"{prefix}{self._rng.getrandbits(32):08x}", f"{prefix}~"
        return await self._page(queued, shard, limit=PAGE, keys=keys)

    async def _read_head(self, cache: CandidateCache, queued: Queued, shard: int) -> None:
        rows = await self._page(queued, shard, limit=1)
        cache.note_head(shard, rows[0]["Queue_Key"] if rows else None, now_s=_now_s())

    async def _page(self, queued: Queued, shard: int, *, limit: int, keys: Keys | None = None) -> list[Row]:
        state, lane = queued
        everywhere = self.lanes.ranges(lane) if state is State.TODO else [(None, None)]
        for each in [keys] if keys else everywhere:
            rows = await candidate_page(self._table, state, shard, bad_rows=self._bad_rows, limit=limit, keys=each)
            if queued == (State.TODO, EVERYBODY) and await self.lanes.discover(self._table, rows):
                return await self._page(queued, shard, limit=limit)
            if rows:
                return rows
        return []

    def _queues(self, state: State) -> list[Queued]:
        return [(state, each) for each in self.lanes.own()] if state is State.TODO else [(state, EVERYBODY)]

    def _candidate(self, row: Row) -> Candidate:
        return candidate(row, token=f"{self._rng.getrandbits(64):016x}")


def _common_priority(rows: Sequence[Row]) -> str:
    """Return how all keys of a full page of claimable items begin; empty when they differ or the page is not full."""
    if len(rows) < PAGE:
        return ""
    first, last = rows[0]["Queue_Key"], rows[-1]["Queue_Key"]
    prefix = first[: len(first) - len(within_lane(first)) + 2]
    return prefix if last.startswith(prefix) and within_lane(first).startswith(READY) else ""


def _shard(seen: Candidate) -> int:
    return int(seen.queue.rpartition("#")[2])


def _rank(error: PyanamoError) -> int:
    """Return which of several errors to raise: first what leaves it open whether something was claimed."""
    return (2 if error.throttled else 0) if isinstance(error, Unavailable) else 1


def _now_s() -> float:
    return asyncio.get_running_loop().time()

"""Claim items: look where some may be, contend for them, keep what is left over as hints.

Laws: exactly one worker wins what it saw, by a write that is conditional on it: the index lags and is a hint, the write
is the truth. What this store itself has just put back is claimable although the index does not show it yet: nobody goes
home because of that. A claim whose reply was lost is tried again with the same token, and found by it. What was won is
returned, whatever fails afterwards.
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
from pyanamo_async.store.dynamodb.candidate_cache import CandidateCache
from pyanamo_async.store.dynamodb.codec import marshal_row
from pyanamo_async.store.dynamodb.rows import QUEUE_INDEX, Candidate, claiming
from pyanamo_async.store.dynamodb.table import Reply, Table, together

PAGE = 25
INDEX_LAG_S = 20.0  # how far behind we reckon with
MOST_RETURNED = 100
IDLE_BELIEF_S = 5.0  # of an idle worker, for each shard: it looks at one every 4 s
IDLE_BELIEF_LATER_S = 240.0  # at least, in all, of what is left at a wall time: that is announced


class Claims:
    """Claims of one store."""

    def __init__(self, table: Table, shards: int, *, rng: random.Random) -> None:
        self._table, self.shards, self._rng = table, shards, rng
        belief_s = shards * IDLE_BELIEF_S
        later_s = max(belief_s, IDLE_BELIEF_LATER_S)
        self._boards = {
            state: CandidateCache(shards, rng=rng, idle_belief_s=belief_s if state is State.TODO else later_s)
            for state in State
        }
        self._returned: dict[str, float] = {}  # what this store has put back, and when
        self.lost = 0

    async def claim(self, worker: str, *, limit: int, now: datetime, state: State) -> list[Item]:
        """Lock up to `limit` items; see `ports.Store.claim`."""
        board = self._boards[state]
        won: list[Item] = []
        looks: list[int] | None = None
        try:
            while len(won) < limit:
                candidates = board.take(limit - len(won), now_s=_now_s())
                if candidates:
                    won += await self._contend(board, candidates, worker, now)
                    continue
                if looks is None:
                    looks = board.worth_a_look(now, now_s=_now_s())
                if not looks:
                    break
                await self._look(board, state, looks.pop(), now)
        except PyanamoError:
            if not won:
                raise
        return won

    async def next_due(self, state: State, *, consistent: bool = False) -> datetime | None:
        """Tell when the next item may be claimed; see `ports.Store.next_due`."""
        board = self._boards[state]
        looks = range(self.shards) if consistent else board.unsure(now_s=_now_s())
        await together(self._see_head(board, state, shard) for shard in looks)
        return board.next_due() or await self._due_unseen(state)

    def changed(self, *forms: Item) -> None:
        """Note that this store wrote an item, in these forms before and after."""
        shard, now_s = shard_of(forms[0].item_id, self.shards), _now_s()
        for state in {form.state for form in forms}:
            self._boards[state].moved(shard, now_s=now_s)
        self._returned.pop(forms[-1].item_id, None)
        if forms[-1].state in CLAIMABLE:
            self._returned[forms[-1].item_id] = now_s
        if len(self._returned) > MOST_RETURNED:
            del self._returned[next(iter(self._returned))]

    def look_anew(self) -> None:
        """Believe nothing of what was seen: items have come, and the index may not show them yet."""
        for board in self._boards.values():
            board.look_anew(now_s=_now_s())

    async def _contend(
        self, board: CandidateCache, candidates: Sequence[Candidate], worker: str, now: datetime
    ) -> list[Item]:
        """Try to claim them all, each for itself; raise only when none was won."""
        replies = [self._table.claim(claiming(each, worker=worker, now=now)) for each in candidates]
        won: list[Item] = []
        lost = 0
        trouble: PyanamoError | None = None
        for candidate, reply in zip(candidates, replies, strict=True):
            try:
                row = await self._row_if_won(candidate, worker, await reply)
            except Unavailable as away:
                board.keep(candidate)
                trouble = trouble if isinstance(trouble, Unavailable) and not trouble.throttled else away
            except PyanamoError as refused:
                trouble = refused
            else:
                if row is None:
                    lost += 1
                else:
                    board.forget(shard_of(candidate.item_id, self.shards), now_s=_now_s())
                    won.append(decode(row))
        board.contended(won=len(won), lost=lost)
        self.lost += lost
        if trouble and not won:
            raise trouble
        return won

    async def _row_if_won(self, candidate: Candidate, worker: str, reply: Reply) -> Row | None:
        if reply.met:
            return reply.row or await self._table.get(candidate.item_id)
        if candidate.sent or reply.again:
            row = reply.row or await self._table.get(candidate.item_id)
            if row and row.get("lockID") == candidate.token and row["ItemState"] == State.LOCKED:
                return row if row["InstanceID"] == worker else None
        return None

    async def _look(self, board: CandidateCache, state: State, shard: int, now: datetime) -> None:
        """Read a page of candidates: anywhere in the best priority of a deep shard, else from the head."""
        prefix = board.deep(shard, now_s=_now_s())
        rows = await self._anywhere(state, shard, prefix) if prefix else []
        if not rows:
            rows = await self._page(state, shard)
            board.saw(shard, rows[0]["Queue_Key"] if rows else None, now_s=_now_s())
            if prefix := _common_priority(rows):  # everybody sees this head: enter elsewhere
                board.note_deep(shard, prefix, now_s=_now_s())
                rows = await self._anywhere(state, shard, prefix) or rows
        board.offer((self._candidate(row) for row in rows if due(row["Queue_Key"]) <= now), now_s=_now_s())

    async def _anywhere(self, state: State, shard: int, prefix: str) -> list[dict[str, Any]]:
        return await self._page(state, shard, start=prefix + self._tiebreak(), end=f"{prefix}~")

    async def _due_unseen(self, state: State) -> datetime | None:
        """Look at the rows themselves of what this store has put lately."""
        since_s = _now_s() - INDEX_LAG_S
        rows = await self._table.get_many(key for key, at_s in self._returned.items() if at_s > since_s)
        return min((due(row["Queue_Key"]) for row in rows if row.get("ItemState") == state), default=None)

    async def _see_head(self, board: CandidateCache, state: State, shard: int) -> None:
        rows = await self._page(state, shard, limit=1)
        board.saw(shard, rows[0]["Queue_Key"] if rows else None, now_s=_now_s())

    async def _page(
        self, state: State, shard: int, *, start: str = " ", end: str = "~", limit: int = PAGE
    ) -> list[dict[str, Any]]:
        asked = {
            "IndexName": QUEUE_INDEX,
            "KeyConditionExpression": "Queue = :queue AND Queue_Key BETWEEN :start AND :end",
            "ExpressionAttributeValues": marshal_row({":queue": queue(state, shard), ":start": start, ":end": end}),
            "ProjectionExpression": "itemID, Queue, Queue_Key, Attempt",
            "Limit": limit,
        }
        async for page in self._table.pages(asked):
            return [{name: next(iter(value.values())) for name, value in item.items()} for item in page["Items"]]
        return []

    def _candidate(self, row: dict[str, Any]) -> Candidate:
        token = f"{self._rng.getrandbits(64):016x}"
        return Candidate(row["itemID"], row["Queue"], row["Queue_Key"], int(row.get("Attempt", 0)), token)

    def _tiebreak(self) -> str:
        return f"{self._rng.getrandbits(32):08x}"


def _common_priority(rows: Sequence[dict[str, Any]]) -> str:
    """Tell how the keys of a full page of claimable items of one priority begin; empty for any other page."""
    if len(rows) < PAGE:
        return ""
    first, last = rows[0]["Queue_Key"][:2], rows[-1]["Queue_Key"][:2]
    return first if first == last and first.startswith(READY) else ""


def _now_s() -> float:
    return asyncio.get_running_loop().time()

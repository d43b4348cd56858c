"""What one store has seen of one state's queue: candidates to claim, and the first key of each shard.

The index is a hint, and so is everything here.

Laws:
1. Candidates left over from a page are hints for 40 ms: with many workers, others know the same page. Where a claim
   was lost, the rest of the page is dropped. After 15 s without a lost claim, hints live a second.
2. A shard's head is believed for 2 s. It is believed for a minute or so while this store has moved nothing into or
   out of this state and no notification came. So an idle worker queries no shard for 2 s, then one each time it asks,
   and each about once a minute (16 shards): that finds items of which no notification came.
3. An item that was tried is not tried again at the same place in the queue, though the index may still show it; unless
   its claim was never answered.

Before it goes home a worker believes nothing of this (`ItemQueue.next_due` with `consistent`).
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Iterable
from datetime import datetime

from pyanamo_async.core.items import State
from pyanamo_async.core.queue_lanes import Lane
from pyanamo_async.core.stored.queue_key import READY, due, within_lane
from pyanamo_async.core.values import Value, replace
from pyanamo_async.store.dynamodb.rows import Candidate

HINT_TTL_S = 0.04
UNCONTENDED_TTL_S, UNCONTENDED_AFTER_S = 1.0, 15.0
HEAD_TTL_S = 2.0
RANDOM_START_TTL_S = 30.0
MAX_TRIED = 2000
IDLE_TTL_S = 5.0  # of a head, for each shard: an idle worker reads one every 4 s
IDLE_TTL_WALL_TIME_S = 240.0  # at least, for what workers leave at their wall time: those send a notification
LAGGING_S = 3.0  # after a notification: by then the index shows 19 of 20 items

Queued = tuple[State, Lane]  # a queue: of a state, or of one lane in `todo`


class ShardHead(Value):
    """The first key of a shard's queue when it was read (None: there was none)."""

    key: str | None
    at_s: float
    idle_ttl_s: float  # how long it is believed while this store moves nothing into or out of this state


class CandidateCache:
    """Candidates and heads of one state. Times in seconds are the loop's."""

    def __init__(self, shards: int, *, rng: random.Random, idle_ttl_s: float) -> None:
        """`idle_ttl_s`: how long an idle store believes a head; at least three fifths of it, scattered."""
        self._rng = rng
        self._idle_ttl_s = idle_ttl_s
        self._shards = list(range(shards))
        self._heads: dict[int, ShardHead] = {}
        self._random_starts: dict[int, tuple[str, float]] = {}
        self._hints: deque[tuple[Candidate, float]] = deque()
        self._tried: dict[tuple[str, str], None] = {}
        self._changed_s = float("-inf")
        self._contended_s: float | None = None  # when a claim was lost, or the first page read

    def add_hints(self, seen: Iterable[Candidate], *, now_s: float) -> None:
        """Keep candidates, shuffled within their priority, without those that were tried."""
        self._contended_s = now_s if self._contended_s is None else self._contended_s
        fresh = [each for each in seen if (each.item_id, each.queue_key) not in self._tried]
        self._rng.shuffle(fresh)
        fresh.sort(key=_priority)
        self._hints.extend((each, now_s) for each in fresh)

    def take(self, most: int, *, now_s: float) -> list[Candidate]:
        """Take up to `most` candidates to claim."""
        taken: list[Candidate] = []
        uncontended_s = 0.0 if self._contended_s is None else now_s - self._contended_s
        ttl_s = HINT_TTL_S if uncontended_s < UNCONTENDED_AFTER_S else UNCONTENDED_TTL_S
        while self._hints and len(taken) < most:
            candidate, seen_s = self._hints.popleft()
            place = candidate.item_id, candidate.queue_key
            if now_s <= seen_s + ttl_s and (
                candidate.unanswered or place not in self._tried
            ):  # two pages may have shown it
                taken.append(candidate)
                self._tried[place] = None
        while len(self._tried) > MAX_TRIED:
            del self._tried[next(iter(self._tried))]
        return taken

    def note_lost_claim(self, *, now_s: float) -> None:
        """Forget candidates, except those whose claim was never answered: another worker knows the same page."""
        self._contended_s = now_s
        self._hints = deque(hint for hint in self._hints if hint[0].unanswered)

    def keep_unanswered(self, seen: Candidate, *, throttled: bool = False) -> None:
        """Keep a candidate whose claim was sent and never answered: only repeating it shows whether it was won."""
        throttled = throttled and (seen.throttled or not seen.unanswered)  # an earlier claim may have been won
        self._hints.appendleft((replace(seen, unanswered=True, throttled=throttled), float("inf")))

    @property
    def has_unanswered(self) -> bool:
        """Return whether a candidate is there whose claim may have been won."""
        return any(seen.unanswered and not seen.throttled for seen, _ in self._hints)

    def note_head(self, shard: int, key: str | None, *, now_s: float) -> None:
        """Note the first key of a shard."""
        self._heads[shard] = ShardHead(key, now_s, self._idle_ttl_s * (1 - 0.4 * self._rng.random()))

    def forget_head(self, shard: int, *, now_s: float) -> None:
        """Forget the head of a shard from which this store has claimed."""
        self._heads.pop(shard, None)
        self._changed_s = max(self._changed_s, now_s)

    def forget_shard(self, shard: int, *, now_s: float) -> None:
        """Forget all about a shard in which this store has put or taken something."""
        self.forget_head(shard, now_s=now_s)
        self._random_starts.pop(shard, None)

    def expire_heads(self, *, now_s: float) -> None:
        """Trust heads for 2 s only, until they are read again after the index has caught up with the notification."""
        self._changed_s = now_s + LAGGING_S

    def note_random_start(self, shard: int, prefix: str, *, now_s: float) -> None:
        """Note that a shard has more than a page of its best priority, and can be read from anywhere within it."""
        self._random_starts[shard] = prefix, now_s + RANDOM_START_TTL_S

    def random_start(self, shard: int, *, now_s: float) -> str:
        """Return the priority within which a shard can be read from anywhere; empty to read it from its head."""
        prefix, until_s = self._random_starts.get(shard, ("", 0.0))
        if until_s < now_s:
            self._random_starts.pop(shard, None)
            return ""
        return prefix

    def shards_to_query(self, now: datetime, *, now_s: float) -> list[int]:
        """Return the shards that may hold something claimable, shuffled; else the one not read for longest."""
        shards = [shard for shard in self._shards if self._may_hold_claimable(shard, now, now_s)]
        self._rng.shuffle(shards)
        oldest = min(self._heads, key=lambda shard: self._heads[shard].at_s, default=0)
        return shards or ([oldest] if now_s - self._heads[oldest].at_s >= HEAD_TTL_S else [])

    def shards_of_unknown_due(self, *, now_s: float) -> list[int]:
        """Return the shards to read before `next_due` is true: unknown ones, and claimable ones others may have."""
        return [
            shard
            for shard in self._shards
            if (head := self._believed(shard, now_s)) is None or within_lane(head.key or "").startswith(READY)
        ]

    def next_due(self) -> datetime | None:
        """Return when the first item of all heads is due."""
        return min((due(head.key) for head in self._heads.values() if head.key is not None), default=None)

    def _may_hold_claimable(self, shard: int, now: datetime, now_s: float) -> bool:
        head = self._believed(shard, now_s)
        return head is None or (head.key is not None and due(head.key) <= now)

    def _believed(self, shard: int, now_s: float) -> ShardHead | None:
        head = self._heads.get(shard)
        if head is None:
            return None
        age_s = now_s - head.at_s
        is_idle = head.at_s > self._changed_s and age_s < head.idle_ttl_s
        return head if age_s < HEAD_TTL_S or is_idle else None


class QueueCaches:
    """The caches of all queues, by queue."""

    def __init__(self, shards: int, *, rng: random.Random) -> None:
        self._shards, self._rng = shards, rng
        self._caches: dict[Queued, CandidateCache] = {}

    def of(self, queued: Queued) -> CandidateCache:
        """Return the cache of a queue."""
        if queued not in self._caches:
            idle_s = self._shards * IDLE_TTL_S
            idle_s = idle_s if queued[0] is State.TODO else max(idle_s, IDLE_TTL_WALL_TIME_S)
            self._caches[queued] = CandidateCache(self._shards, rng=self._rng, idle_ttl_s=idle_s)
        return self._caches[queued]

    def all(self) -> list[CandidateCache]:
        """Return the caches of the queues that were asked for."""
        return [*self._caches.values()]


def _priority(candidate: Candidate) -> str:
    """Order what is claimable at once before what was delayed, and better priorities first."""
    return within_lane(candidate.queue_key)[: len(READY) + 1]

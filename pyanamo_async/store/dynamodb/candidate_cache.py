"""What one store has seen of one state's queue: candidates at hand, and which shards are worth a look.

The index is a hint, and so is all that stands here. That a shard is empty, or due later, is believed for 2 s; when
since then this store has moved nothing into this state or out of it, and nothing was announced, for a minute or so. So
a worker that finds nothing looks at no shard for 2 s, then at one each time it asks, and at each about every minute (16
shards), at different times: that is for what nobody announced. Before it goes home it believes none of this
(`Store.next_due`).
"""

from __future__ import annotations

import math
import random
from collections import deque
from collections.abc import Iterable
from datetime import datetime

from pyanamo_async.core.stored.queue_key import READY, due
from pyanamo_async.core.values import Value, replace
from pyanamo_async.store.dynamodb.rows import Candidate

HINT_S = 2.0
LEAST_CALM, FIRST_CALM = 0.004, 0.02  # hints live 8 ms and 40 ms: nobody knows at first how many others there are
CALMING = 1.01  # against a half for a loss: calm where between one and two in a hundred are lost
BELIEF_S = 2.0
LAG_S = 3.0  # how late the index usually shows what was announced
DEEP_S = 30.0
MOST_TRIED = 2000


class ShardHead(Value):
    """The first key of a shard's queue when it was looked at (None: there was none)."""

    key: str | None
    at_s: float
    idle_s: float  # how long a store believes it that moves nothing into this state or out of it


class CandidateCache:
    """The sights and hints of one state. Times in seconds are the loop's."""

    def __init__(self, shards: int, *, rng: random.Random, idle_belief_s: float) -> None:
        """`idle_belief_s`: how long an idle store believes what it saw; three fifths of it at least."""
        self._rng = rng
        self._idle_belief_s = idle_belief_s
        self._shards = list(range(shards))
        self._sights: dict[int, ShardHead] = {}
        self._deep: dict[int, tuple[str, float]] = {}
        self._hints: deque[tuple[Candidate, float]] = deque()
        self._tried: dict[tuple[str, str], None] = {}
        self._changed_s = float("-inf")
        self._calm = FIRST_CALM  # 1: alone; less: hints live shorter, and fewer are tried at once

    def offer(self, seen: Iterable[Candidate], *, now_s: float) -> None:
        """Keep candidates for 2 s, scattered within their priority.

        Those tried already, which the index may still show, are left out.
        """
        fresh = [each for each in seen if (each.item_id, each.queue_key) not in self._tried]
        self._rng.shuffle(fresh)
        fresh.sort(key=_rank)
        self._hints.extend((each, now_s + self._calm * HINT_S) for each in fresh)

    def take(self, most: int, *, now_s: float) -> list[Candidate]:
        """Take candidates to try: as many as are wanted, or fewer where others are after the same."""
        most = math.ceil(min(1.0, self._calm / FIRST_CALM) * most)
        taken: list[Candidate] = []
        while self._hints and len(taken) < most:
            candidate, until_s = self._hints.popleft()
            sight = candidate.item_id, candidate.queue_key
            if until_s >= now_s and (candidate.sent or sight not in self._tried):  # two looks may have shown it
                taken.append(candidate)
                self._tried[sight] = None
        while len(self._tried) > MOST_TRIED:
            del self._tried[next(iter(self._tried))]
        return taken

    def contended(self, *, won: int, lost: int) -> None:
        """Learn from a round of claims: where some were lost, others know the same candidates, so the rest is dropped.

        Losing halves how long hints live, and each claim won adds a hundredth: with thousands of workers on one table
        candidates are tried at once or not at all, while few workers read the index once for 25 claims.
        """
        if lost:
            self._calm = max(LEAST_CALM, self._calm / 2)
            self._hints = deque(hint for hint in self._hints if hint[0].sent)
        else:
            self._calm = min(1.0, self._calm * CALMING**won)

    def keep(self, candidate: Candidate) -> None:
        """Keep a candidate whose claim was sent and never answered: only trying again tells whether it was won."""
        self._hints.appendleft((replace(candidate, sent=True), float("inf")))

    def saw(self, shard: int, key: str | None, *, now_s: float) -> None:
        """Note the first key of a shard."""
        self._sights[shard] = ShardHead(key, now_s, self._idle_belief_s * (1 - 0.4 * self._rng.random()))

    def forget(self, shard: int, *, now_s: float) -> None:
        """Believe nothing of the head of a shard from which this store has claimed."""
        self._sights.pop(shard, None)
        self._changed_s = max(self._changed_s, now_s)

    def moved(self, shard: int, *, now_s: float) -> None:
        """Believe nothing of a shard where this store has put or taken something."""
        self.forget(shard, now_s=now_s)
        self._deep.pop(shard, None)

    def look_anew(self, *, now_s: float) -> None:
        """Believe nothing for more than 2 s that was seen before, or is seen while the index may be late."""
        self._changed_s = now_s + LAG_S

    def note_deep(self, shard: int, prefix: str, *, now_s: float) -> None:
        """Note that a shard has more than a page of its best priority, and may be entered anywhere within it."""
        self._deep[shard] = prefix, now_s + DEEP_S

    def deep(self, shard: int, *, now_s: float) -> str:
        """Tell within which priority a shard may be entered anywhere; empty when it is to be read from its head."""
        prefix, until_s = self._deep.get(shard, ("", 0.0))
        if until_s < now_s:
            self._deep.pop(shard, None)
            return ""
        return prefix

    def worth_a_look(self, now: datetime, *, now_s: float) -> list[int]:
        """List shards that may hold something claimable, scattered; else the one not looked at for longest."""
        worth = [shard for shard in self._shards if self._may_hold(shard, now, now_s)]
        self._rng.shuffle(worth)
        oldest = min(self._sights, key=lambda shard: self._sights[shard].at_s, default=0)
        return worth or ([oldest] if now_s - self._sights[oldest].at_s >= BELIEF_S else [])

    def unsure(self, *, now_s: float) -> list[int]:
        """List the shards whose first key is not known well enough to tell when it is due."""
        return [
            shard
            for shard in self._shards
            if (sight := self._believed(shard, now_s)) is None or (sight.key or "").startswith(READY)
        ]

    def next_due(self) -> datetime | None:
        """Tell when the first of all that was seen is due."""
        return min((due(sight.key) for sight in self._sights.values() if sight.key is not None), default=None)

    def _may_hold(self, shard: int, now: datetime, now_s: float) -> bool:
        sight = self._believed(shard, now_s)
        return sight is None or (sight.key is not None and due(sight.key) <= now)

    def _believed(self, shard: int, now_s: float) -> ShardHead | None:
        sight = self._sights.get(shard)
        if sight is None:
            return None
        age_s = now_s - sight.at_s
        idle = sight.at_s > self._changed_s and age_s < sight.idle_s
        return sight if age_s < BELIEF_S or idle else None


def _rank(candidate: Candidate) -> str:
    """Put what is claimable at once before what was delayed, and better priorities first."""
    return candidate.queue_key[: len(READY) + 1]

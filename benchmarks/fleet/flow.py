"""A fleet as a flow: claims, settles and beats as requests with their write units, second by second, none for itself.

Each tick, scripts end, free slots claim from random shards, what ended is settled, and workers beat. Each of these
takes units of the table and of the keys of the index that it touches: a claim of `todo#s` and `locked#s`, a settle of
`locked#s` and `done#s`, a beat twice of `worker#0`. Where a partition or the whole has too few, as much is served as
there is, of all that want it alike, and the rest waits: that throttled requests come again in time is what `service`
shows with the product's own backoff. A table, and an index, takes twice what it took half an hour ago.

Sizes are of small items: a row within 1 KB, an index row within 1 KB (`tests/contract/test_dynamodb.py` measures both).
Reads never bind here: a claim looks at half a read unit, where a partition takes three of them for each write.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass, field

from benchmarks.fleet.facts import (
    DOUBLING_S,
    INDEX_LAG_S,
    LATENCY_S,
    NEW_TABLE_WRITES,
    PARTITION_WRITES,
    TABLE_QUOTA,
    USD_PER_READ,
    USD_PER_WRITE,
)
from benchmarks.fleet.keys import Tree
from pyanamo_async.core.items import State
from pyanamo_async.core.queue import queue
from pyanamo_async.store.dynamodb.claiming import PAGE
from pyanamo_async.store.dynamodb.fleet import QUEUE as WORKERS
from pyanamo_async.worker.claims import MOST_AT_ONCE

IMPORT_UNITS = 2.0  # a row and its place in the index
BASE_UNITS = 1.0  # a claim, a settle, a beat, or a claim that was lost: the row
MOVE_UNITS = 2.0  # and its old and its new place in the index
SEEN_S = INDEX_LAG_S + 2 * LATENCY_S  # how old a candidate is when its claim is decided
CLAIM_S = 2 * LATENCY_S  # a look and a write: how long a slot waits for its next item
LOOK_READS = 0.5 * math.ceil(PAGE * 150 / 4096)  # a page of index rows of about 150 bytes
OTHERS_READS = 1.5  # once a beat: who was heard of last?
LONGEST_TICK_S = 5.0
STEADY_S = 120.0


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be done by whom."""

    workers: int
    shards: int
    seconds: float  # mean of the items' durations
    items: float = 10e6
    slots: int = 8
    beat_s: float = 20.0


@dataclass(frozen=True, slots=True)
class Limits:
    """What the table takes; DynamoDB's, unless a smaller one is to be compared with."""

    capacity: float = NEW_TABLE_WRITES
    per_partition: float = PARTITION_WRITES
    quota: float = TABLE_QUOTA
    doubling_s: float = DOUBLING_S
    split_s: float = 600.0  # ours: AWS says "after a short period"


def ceilings(plan: Plan, capacity: float = NEW_TABLE_WRITES) -> dict[str, float]:
    """Tell how many items a second each limit allows: the slots, the hottest keys, and the index as a whole."""
    beats = plan.workers / plan.beat_s
    return {
        "slots": plan.workers * plan.slots / (plan.seconds + CLAIM_S),
        "shards": plan.shards * PARTITION_WRITES / MOVE_UNITS,  # `locked#s`: an item comes, an item goes
        "table": max(0.0, capacity - MOVE_UNITS * beats) / (2 * MOVE_UNITS),  # a claim and a settle
    }


@dataclass(slots=True)
class Course:
    """How it went."""

    plan: Plan
    seconds: float = 0.0
    done: float = 0.0
    writes: float = 0.0
    reads: float = 0.0
    throttled_s: float = 0.0  # time in which something had to wait
    best: float = 0.0  # items a second, over a minute
    first_half_hour: float = 0.0

    @property
    def rate(self) -> float:
        """Items a second, from the first to the last."""
        return self.done / self.seconds

    @property
    def usd_per_million(self) -> float:
        """Dollars for a million items, import included."""
        return (self.writes * USD_PER_WRITE + self.reads * USD_PER_READ) / self.done * 1e6


@dataclass(slots=True)
class Meter:
    """What a table or index took, and what it takes: twice the best minute that is half an hour old."""

    limits: Limits
    capacity: float = field(init=False)
    units: float = field(init=False)
    _minute: float = 0.0
    _since_s: float = 0.0
    _peaks: deque[tuple[float, float]] = field(default_factory=deque)

    def __post_init__(self) -> None:
        self.capacity = self.units = self.limits.capacity

    def fill(self, now_s: float, seconds: float) -> None:
        """Let time pass."""
        if now_s - self._since_s >= 60:
            self._peaks.append((now_s, self._minute / (now_s - self._since_s)))
            self._minute, self._since_s = 0.0, now_s
        while self._peaks and self._peaks[0][0] <= now_s - self.limits.doubling_s:
            grown = min(self.limits.quota, 2 * self._peaks.popleft()[1])
            self.capacity = max(self.capacity, grown)
        self.units = min(self.capacity * 300, self.units + self.capacity * seconds) if seconds else self.units

    def take(self, units: float) -> None:
        """Use units."""
        self.units -= units
        self._minute += units


class Flow:
    """One fleet at work."""

    def __init__(self, plan: Plan, limits: Limits | None = None) -> None:
        self.plan, self.limits = plan, limits or Limits()
        shards = range(plan.shards)
        keys = [queue(state, shard) for state in (State.TODO, State.LOCKED, State.DONE) for shard in shards]
        partitions = round(self.limits.capacity / self.limits.per_partition)
        self._tree = Tree([*keys, WORKERS], partitions=partitions, per_second=self.limits.per_partition)
        self._base, self._index = Meter(self.limits), Meter(self.limits)
        self.todo = [plan.items / plan.shards] * plan.shards
        self.running = [0.0] * plan.shards
        self.ended = [0.0] * plan.shards
        self.course = Course(plan, writes=IMPORT_UNITS * plan.items)
        self.tick_s = min(LONGEST_TICK_S, plan.seconds + CLAIM_S)
        self._steady_s = 0.0
        self._minute: deque[tuple[float, float]] = deque()

    def run(self, *, longest_s: float = math.inf) -> Course:
        """Let them work until all is done; once nothing waits and nothing changes, go straight to the end."""
        course, left = self.course, self.plan.items
        while left > self.plan.items * 1e-6 and course.seconds < longest_s:
            done = self._tick()
            left -= done
            if self._steady_s >= max(STEADY_S, 3 * self.plan.seconds) and longest_s == math.inf:
                self._go_to_the_end(left)
                break
        if not course.first_half_hour:
            course.first_half_hour = course.rate
        return course

    def spare(self) -> float:
        """Tell how many units the index as a whole, or its hottest partition, has left: never less than none."""
        return min(self._index.units, *(leaf.units for leaf in self._tree.of))

    def _tick(self) -> float:
        plan, course, seconds = self.plan, self.course, self.tick_s
        tree, shards = self._tree, plan.shards
        self._time_passes(seconds)
        ending = seconds / (plan.seconds + CLAIM_S)
        for shard in range(shards):
            ended = self.running[shard] * ending
            self.running[shard] -= ended
            self.ended[shard] += ended
        claims, settles, beats = self._wishes(), self.ended, plan.workers / plan.beat_s * seconds
        of = tree.of
        workers = of[-1]
        workers.wanted += MOVE_UNITS * beats
        for shard in range(shards):
            of[shard].wanted += claims[shard]
            of[shards + shard].wanted += claims[shard] + settles[shard]
            of[2 * shards + shard].wanted += settles[shard]
        tree.ration(seconds)
        wanted = sum(claims) + sum(settles) + beats
        whole = min(
            1.0,
            max(0.0, self._base.units) / (BASE_UNITS * wanted) if wanted else 1.0,
            max(0.0, self._index.units) / (MOVE_UNITS * wanted) if wanted else 1.0,
        )
        beats *= min(whole, of[-1].share)
        of[-1].units -= MOVE_UNITS * beats
        claimed = settled = 0.0
        full = True
        for shard in range(shards):
            todo, locked, done = of[shard], of[shards + shard], of[2 * shards + shard]
            to_claim, to_settle = min(whole, todo.share, locked.share), min(whole, locked.share, done.share)
            full = full and to_claim >= 1 and to_settle >= 1
            claim, settle = claims[shard] * to_claim, settles[shard] * to_settle
            todo.units -= claim
            locked.units -= claim + settle
            done.units -= settle
            self.todo[shard] -= claim
            self.running[shard] += claim
            self.ended[shard] -= settle
            claimed += claim
            settled += settle
        lost = self._lost(claimed, seconds)
        self._base.take(BASE_UNITS * (claimed + settled + beats + lost))
        self._index.take(MOVE_UNITS * (claimed + settled + beats))
        course.writes += (BASE_UNITS + MOVE_UNITS) * (claimed + settled + beats) + BASE_UNITS * lost
        course.reads += LOOK_READS * (claimed + lost) + OTHERS_READS * beats
        self._note(settled, full=full, seconds=seconds)
        return settled

    def _time_passes(self, seconds: float) -> None:
        now_s = self.course.seconds
        before = self._index.capacity
        self._base.fill(now_s, seconds)
        self._index.fill(now_s, seconds)
        if self._index.capacity > before:
            self._tree.grow(round(self._index.capacity / self.limits.per_partition))
        self._tree.fill(seconds, split_s=self.limits.split_s)

    def _wishes(self) -> list[float]:
        """Choose how many items of each shard are to be claimed: free slots look for them in random shards."""
        plan = self.plan
        slots = plan.workers * plan.slots
        running = sum(self.running)
        free = max(0.0, min(slots - running, 2 * slots - running - sum(self.ended)))
        free = min(free, plan.workers * MOST_AT_ONCE * self.tick_s / CLAIM_S)
        open_ = [shard for shard in range(plan.shards) if self.todo[shard] > 0]
        wishes = [0.0] * plan.shards
        for shard in open_:
            wishes[shard] = min(self.todo[shard], free / len(open_))
        return wishes

    def _lost(self, claimed: float, seconds: float) -> float:
        """Count claims lost to others who were quicker: what is seen is `SEEN_S` old, and claims fall at random."""
        left = sum(self.todo)
        return claimed * min(1.0, claimed / seconds * SEEN_S / left) if left >= 1 else 0.0

    def _note(self, settled: float, *, full: bool, seconds: float) -> None:
        course = self.course
        course.seconds += seconds
        course.done += settled
        course.throttled_s += 0 if full else seconds
        self._steady_s = self._steady_s + seconds if full else 0.0
        self._minute.append((course.seconds, settled))
        while self._minute[0][0] <= course.seconds - 60:
            self._minute.popleft()
        if course.seconds >= 60:
            course.best = max(course.best, sum(done for _, done in self._minute) / 60)
        if not course.first_half_hour and course.seconds >= self.limits.doubling_s:
            course.first_half_hour = course.rate

    def _go_to_the_end(self, left: float) -> None:
        """Nothing waits: the rest goes at the rate of the slots, and the last ones end alone."""
        plan, course = self.plan, self.course
        rate = min(plan.workers * plan.slots, left) / (plan.seconds + CLAIM_S)
        seconds = left / rate
        beats = plan.workers / plan.beat_s * seconds
        claims = sum(self.todo)
        course.seconds += seconds
        course.done += left
        course.best = max(course.best, rate)
        course.writes += (BASE_UNITS + MOVE_UNITS) * (claims + left + beats)
        course.reads += LOOK_READS * claims + OTHERS_READS * beats
        self.todo = [0.0] * plan.shards
        self.running = [0.0] * plan.shards
        self.ended = [0.0] * plan.shards

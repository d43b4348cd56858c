"""A fleet as a flow: claims, settles and beats as requests with their write units, second by second, none for itself.

Each tick, scripts end, free slots claim from random shards, what ended is settled, and workers beat. Each of these
takes units of the table and of the keys of the index that it touches: a claim of `todo#s` and `locked#s`, a settle of
`locked#s` and `done#s`, a beat twice of `worker#0`. Where a partition or the whole has too few, as much is served as
there is, of all that want it alike, and the rest waits: that throttled requests come again in time is what `service`
shows with the product's own backoff. A table, and an index, takes twice what it took half an hour ago.

Reads never bind here: a claim looks at half a read unit, where a partition takes three of them for each write.
"""

from __future__ import annotations

import math
from collections import deque

from benchmarks.fleet.facts import INDEX_LAG_S, LATENCY_S
from benchmarks.fleet.keys import Meter, Tree
from benchmarks.fleet.plan import BASE_UNITS, CLAIM_S, IMPORT_UNITS, MOVE_UNITS, Course, Limits, Plan
from pyanamo_async.core.items import State
from pyanamo_async.core.stored.queue_key import queue
from pyanamo_async.store.dynamodb.claiming import PAGE
from pyanamo_async.store.dynamodb.fleet import RUNNING_QUEUE as WORKERS
from pyanamo_async.worker.claimer import MOST_AT_ONCE

SEEN_S = INDEX_LAG_S + 2 * LATENCY_S  # how old a candidate is when its claim is decided
LOOK_READS = 0.5 * math.ceil(PAGE * 150 / 4096)  # a page of index rows of about 150 bytes
OTHERS_READS = 1.5  # once a beat: who was heard of last?
LONGEST_TICK_S = 5.0
STEADY_S = 120.0


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
        """Let a tick pass, and tell how many items were settled in it."""
        plan, seconds = self.plan, self.tick_s
        self._time_passes(seconds)
        self._scripts_end(seconds)
        claims, heartbeats = self._wishes(), plan.workers / plan.heartbeat_s * seconds
        whole = self._ration(claims, heartbeats, seconds)
        heartbeats = self._heartbeat(heartbeats, whole)
        claimed, settled, full = self._serve(claims, whole)
        self._pay(claimed, settled, heartbeats, self._lost(claimed, seconds))
        self._note(settled, full=full, seconds=seconds)
        return settled

    def _scripts_end(self, seconds: float) -> None:
        share = seconds / (self.plan.seconds + CLAIM_S)
        for shard, running in enumerate(self.running):
            self.running[shard] -= running * share
            self.ended[shard] += running * share

    def _ration(self, claims: list[float], heartbeats: float, seconds: float) -> float:
        """Tell each partition what is wanted of it, and return what share of everything the whole can take."""
        of, shards = self._tree.of, self.plan.shards
        of[-1].wanted += MOVE_UNITS * heartbeats
        for shard, (claim, settle) in enumerate(zip(claims, self.ended, strict=True)):
            of[shard].wanted += claim
            of[shards + shard].wanted += claim + settle
            of[2 * shards + shard].wanted += settle
        self._tree.ration(seconds)
        wanted = sum(claims) + sum(self.ended) + heartbeats
        if not wanted:
            return 1.0
        base, index = self._base.units / (BASE_UNITS * wanted), self._index.units / (MOVE_UNITS * wanted)
        return max(0.0, min(1.0, base, index))

    def _heartbeat(self, heartbeats: float, whole: float) -> float:
        workers = self._tree.of[-1]
        served = heartbeats * min(whole, workers.share)
        workers.units -= MOVE_UNITS * served
        return served

    def _serve(self, claims: list[float], whole: float) -> tuple[float, float, bool]:
        """Serve what every partition has units for: claims, settles, and whether that was all."""
        of, shards = self._tree.of, self.plan.shards
        claimed = settled = 0.0
        full = True
        for shard in range(shards):
            todo, locked, done = of[shard], of[shards + shard], of[2 * shards + shard]
            to_claim, to_settle = min(whole, todo.share, locked.share), min(whole, locked.share, done.share)
            full = full and to_claim >= 1 and to_settle >= 1
            claim, settle = claims[shard] * to_claim, self.ended[shard] * to_settle
            todo.units -= claim
            locked.units -= claim + settle
            done.units -= settle
            self.todo[shard] -= claim
            self.running[shard] += claim
            self.ended[shard] -= settle
            claimed += claim
            settled += settle
        return claimed, settled, full

    def _pay(self, claimed: float, settled: float, heartbeats: float, lost: float) -> None:
        moves = claimed + settled + heartbeats
        self._base.take(BASE_UNITS * (moves + lost))
        self._index.take(MOVE_UNITS * moves)
        self.course.writes += (BASE_UNITS + MOVE_UNITS) * moves + BASE_UNITS * lost
        self.course.reads += LOOK_READS * (claimed + lost) + OTHERS_READS * heartbeats

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
        heartbeats = plan.workers / plan.heartbeat_s * seconds
        claims = sum(self.todo)
        course.seconds += seconds
        course.done += left
        course.best = max(course.best, rate)
        course.writes += (BASE_UNITS + MOVE_UNITS) * (claims + left + heartbeats)
        course.reads += LOOK_READS * claims + OTHERS_READS * heartbeats
        self.todo = [0.0] * plan.shards
        self.running = [0.0] * plan.shards
        self.ended = [0.0] * plan.shards

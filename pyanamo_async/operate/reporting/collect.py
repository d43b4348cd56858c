"""Collect what a report shows, in one pass over each table.

1. Memory does not grow with the table: counts are kept in bins, and of attempts a sample that every one has the same
   chance to be in.
2. Attempts are those of `trace`: the last of each task that ended. All are counted, also those not in the sample.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from heapq import heappush, heappushpop

from pyanamo_async.core.bins import Histogram, TimeBins, by_magnitude, by_percent
from pyanamo_async.core.counts import Ledgers
from pyanamo_async.core.folders import CHECKPOINT_EXIT
from pyanamo_async.core.items import Item, State, Task, TaskRecord, TaskState
from pyanamo_async.core.memory.use import PER_DECADE, MemoryCount, MemoryUse
from pyanamo_async.core.outcomes import Checkpointed, Failed, Succeeded, TimedOut
from pyanamo_async.core.values import Value
from pyanamo_async.core.workers import Worker
from pyanamo_async.operate.failures import OTHERS, CommonReasons, Key
from pyanamo_async.ports import Store

MOST_ATTEMPTS = 50_000  # whose page a browser opens within seconds
SAMPLED = 10_000  # of more: a page of a few MB
MOST_NAMES = 10_000  # of hosts and samples
MOST_LOSERS = 10
MOST_WORKERS = 200  # of each step: those that were heard of last
SHORTEST_S = 0.01  # of which a share of a CPU can be told
STARTED, ADDED = "started", "added"


class Attempt(Value):
    """A row of the report: the last attempt of one task that ended."""

    step: int
    item_id: str
    sample: str
    task: str
    status: str
    exit: str
    reason: str
    worker: str
    attempt: int
    started: float
    seconds: float
    cpu_seconds: float | None
    max_rss_bytes: int | None
    script: str


@dataclass(slots=True)
class Step:
    """What a report tells of one table."""

    name: str
    workers: Sequence[Worker] = ()
    items: Counter[State] = field(default_factory=Counter)
    tasks: Counter[TaskState] = field(default_factory=Counter)
    attempts: Counter[str] = field(default_factory=Counter)  # by how they ended
    seconds: Histogram = field(default_factory=by_magnitude)
    memory: Histogram = field(default_factory=by_magnitude)
    peaks: Histogram = field(default_factory=partial(by_magnitude, PER_DECADE))  # the same, to tell one
    used: MemoryCount = field(default_factory=MemoryCount)
    efficiency: Histogram = field(default_factory=by_percent)
    seconds_run: float = 0.0
    cpu_seconds_held: float = 0.0  # times that attempts took, each times the CPUs that it asked for
    ledgers: Ledgers = field(default_factory=Ledgers)

    @property
    def memory_use(self) -> MemoryUse | None:
        """Return what the attempts used of memory; None if too few tell."""
        return self.used.use(self.workers)


@dataclass(slots=True)
class Collected:
    """What a report tells; `most` attempts are kept, of more than that `sampled`."""

    dice: random.Random
    scripts: bool = True
    most: int = MOST_ATTEMPTS
    sampled: int = SAMPLED
    steps: list[Step] = field(default_factory=list)
    times: TimeBins = field(default_factory=TimeBins)
    hosts: Counter[str] = field(default_factory=Counter)
    samples: Counter[str] = field(default_factory=Counter)
    losers: list[tuple[float, str, str, int, int]] = field(default_factory=list)
    workers: list[tuple[str, Worker]] = field(default_factory=list)  # with their steps, by last heartbeat
    total: int = 0
    _kept: list[Attempt] = field(default_factory=list)
    _reasons: CommonReasons = field(default_factory=CommonReasons)
    _failures: Counter[Key] = field(default_factory=Counter)

    async def read(self, store: Store, name: str) -> None:
        """Add a table."""
        workers = await store.workers()
        step = Step(name, workers)
        self.steps.append(step)
        hosts = {each.worker_id: each.host for each in workers if each.host}
        self.workers += [(name, each) for each in workers if not each.problem][-MOST_WORKERS:]
        async for item in store.items():
            self._add_item(step, item)
            for task in item.tasks:
                step.tasks[task.state] += 1
                if task.record:
                    self._add_attempt(step, item, task, task.record, hosts)

    def attempts(self) -> list[Attempt]:
        """Return the attempts that the page lists, in the order in which they began."""
        if self.is_sampled:
            kept = self.dice.sample(self._kept, min(self.sampled, len(self._kept)))
            return sorted(kept, key=lambda each: each.started)
        return sorted(self._kept, key=lambda each: each.started)

    @property
    def is_sampled(self) -> bool:
        """Return whether there are more attempts than the page lists."""
        return self.total > self.most

    @property
    def reasons(self) -> Counter[str]:
        """Return how many attempts failed for which reason."""
        return Counter({self._reasons[key]: number for key, number in self._failures.items()})

    def worst(self) -> list[tuple[float, str, str, int, int]]:
        """Return the items that lost most: seconds, step, id, interruptions and crashes."""
        return sorted(self.losers, reverse=True)

    def _add_item(self, step: Step, item: Item) -> None:
        step.items[item.state] += 1
        step.ledgers = Ledgers.total([step.ledgers, Ledgers.of_item(item)])
        if item.crashes or item.interruptions or item.seconds_lost:
            lost = (item.seconds_lost, step.name, item.item_id, item.interruptions, item.crashes)
            if len(self.losers) < MOST_LOSERS:
                heappush(self.losers, lost)
            else:
                heappushpop(self.losers, lost)

    def _add_attempt(self, step: Step, item: Item, task: Task, record: TaskRecord, hosts: Mapping[str, str]) -> None:
        outcome = record.outcome
        self.total += 1
        step.attempts[outcome.status] += 1
        step.seconds.add(record.seconds)
        step.seconds_run += record.seconds
        step.cpu_seconds_held += record.seconds * item.cpus
        if record.max_rss_bytes is not None:
            step.memory.add(record.max_rss_bytes)
            step.peaks.add(record.max_rss_bytes)
        step.used.add(item, record)
        if record.cpu_seconds is not None and record.seconds >= SHORTEST_S:
            step.efficiency.add(100 * record.cpu_seconds / record.seconds)
        self.times.add(record.started.timestamp(), STARTED)
        self.times.add(record.finished.timestamp(), outcome.status)
        if isinstance(outcome, Failed | TimedOut):
            self._failures[self._reasons.add(record.reason)] += 1
            _count(self.hosts, hosts.get(record.worker, record.worker))
            _count(self.samples, item.sample)
        place = len(self._kept) if len(self._kept) < self.most else self.dice.randrange(self.total)
        if place < self.most:
            kept = self._attempt(item, task, record)
            self._kept[place : place + 1] = [kept]

    def _attempt(self, item: Item, task: Task, record: TaskRecord) -> Attempt:
        outcome = record.outcome
        match outcome:
            case Succeeded():
                ended_with = "0"
            case Checkpointed():
                ended_with = str(CHECKPOINT_EXIT)
            case Failed():
                ended_with = str(outcome.exit_code if outcome.signal is None else -outcome.signal)
            case _:
                ended_with = ""
        return Attempt(
            step=len(self.steps) - 1,
            item_id=item.item_id,
            sample=item.sample,
            task=task.name,
            status=outcome.status,
            exit=ended_with,
            reason=record.reason,
            worker=record.worker,
            attempt=record.attempt,
            started=record.started.timestamp(),
            seconds=record.seconds,
            cpu_seconds=record.cpu_seconds,
            max_rss_bytes=record.max_rss_bytes,
            script=task.script if self.scripts else "",
        )


def _count(names: Counter[str], name: str) -> None:
    """Count a name, or all others together once there are very many."""
    names[name if name in names or len(names) < MOST_NAMES else OTHERS] += 1

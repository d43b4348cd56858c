"""The workers of a table in memory, their orders, and the tails of output that somebody follows."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from pyanamo_async.core.items import Item
from pyanamo_async.core.output_tail import OutputTail, TaskRef
from pyanamo_async.core.values import replace
from pyanamo_async.core.workers import Desired, Orders, Worker, WorkerState, is_later
from pyanamo_async.errors import Fenced, ItemMissing
from pyanamo_async.ports import OutputTails, WorkerRegistry


@dataclass(slots=True)
class _Subscription:
    worker: str
    until: datetime
    published: OutputTail = field(default_factory=OutputTail)


@dataclass(slots=True)
class MemoryTable:
    """What a table in memory holds."""

    shards: int
    last_attempts_after: int | None = None
    items: dict[str, Item] = field(default_factory=dict)
    workers: dict[str, Worker] = field(default_factory=dict)
    subscriptions: dict[TaskRef, _Subscription] = field(default_factory=dict)
    releases: defaultdict[str, set[str]] = field(default_factory=lambda: defaultdict(set))


class MemoryWorkers(WorkerRegistry, OutputTails):
    """The workers of a table in memory."""

    @property
    def _table(self) -> MemoryTable:
        raise NotImplementedError

    def service_time(self, *, now: datetime) -> datetime:
        return now

    async def heartbeat(self, worker: Worker, *, registered: bool = False) -> Orders:
        known = self._table.workers.get(worker.worker_id)
        if (known is None and registered) or (known is not None and known.state is WorkerState.DEAD):
            raise Fenced(f"worker {worker.worker_id} was given up for dead")
        desired = known.desired if known else Desired.RUN
        if written := known is None or not is_later(known.heartbeat, worker):
            self._table.workers[worker.worker_id] = replace(worker, desired=desired, following=())
        released = frozenset(self._table.releases[worker.worker_id])
        return Orders(desired, self._followed(worker.worker_id, worker.heartbeat), released, written)

    async def mark_dead(self, worker: Worker) -> bool:
        known = self._table.workers.get(worker.worker_id)
        if known is None or known.state is WorkerState.ENDED or known.heartbeat != worker.heartbeat:
            return False
        self._table.workers[worker.worker_id] = replace(known, state=WorkerState.DEAD)
        return True

    async def heartbeats(
        self, *, since: datetime | None = None, until: datetime | None = None, most: int | None = None
    ) -> Mapping[str, datetime]:
        wanted = [
            (worker.heartbeat, worker.worker_id)
            for worker in self._table.workers.values()
            if worker.state is not WorkerState.ENDED
            and (since is None or worker.heartbeat >= since)
            and (until is None or worker.heartbeat <= until)
        ]
        latest = sorted(wanted)[0 if most is None else -most :]
        return {worker_id: heartbeat for heartbeat, worker_id in latest}

    async def order(self, worker_id: str, desired: Desired) -> None:
        self._table.workers[worker_id] = replace(self._worker(worker_id), desired=desired)

    async def order_release(self, worker_id: str, tokens: Collection[str], *, withdrawn: bool = False) -> None:
        if withdrawn:
            self._table.releases[worker_id] -= {*tokens}
        else:
            self._table.releases[self._worker(worker_id).worker_id] |= {*tokens}

    async def follow(self, worker_id: str, task: TaskRef, *, until: datetime | None) -> None:
        if until is None:
            self._table.subscriptions.pop(task, None)
        else:
            self._table.subscriptions[task] = _Subscription(
                self._worker(worker_id).worker_id, until, await self.published(task) or OutputTail()
            )

    async def followed(self, worker_id: str, *, now: datetime) -> Sequence[TaskRef] | None:
        return self._followed(worker_id, now)

    async def publish(self, task: TaskRef, tail: OutputTail, *, now: datetime) -> bool:
        subscription = self._table.subscriptions.get(task)
        if subscription is None or subscription.until <= now:
            return False
        subscription.published = tail
        return True

    async def published(self, task: TaskRef) -> OutputTail | None:
        subscription = self._table.subscriptions.get(task)
        return subscription.published if subscription else None

    async def workers(self, *, of: Collection[str] | None = None) -> list[Worker]:
        known = [
            replace(worker, following=self._followed(worker.worker_id, worker.heartbeat))
            for worker in self._table.workers.values()
            if of is None or worker.worker_id in of
        ]
        return sorted(known, key=lambda worker: (worker.heartbeat, worker.worker_id))

    async def forget(self, worker_id: str) -> None:
        table = self._table
        table.workers.pop(worker_id, None)
        table.releases.pop(worker_id, None)
        table.subscriptions = {task: each for task, each in table.subscriptions.items() if each.worker != worker_id}

    def _worker(self, worker_id: str) -> Worker:
        if worker_id not in self._table.workers:
            raise ItemMissing(f"there is no worker {worker_id} in memory")
        return self._table.workers[worker_id]

    def _followed(self, worker_id: str, now: datetime) -> tuple[TaskRef, ...]:
        subscribed = self._table.subscriptions.items()
        return tuple(sorted(task for task, each in subscribed if each.worker == worker_id and each.until > now))

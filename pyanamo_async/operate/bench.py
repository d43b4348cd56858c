"""Measure a table, its output and this machine: rates, latencies, and what an item costs.

1. A measurement does what a worker does, in the same batches and on the same event loop.
2. The items are small, each with one script that does nothing; larger rows cost more, by their size.
"""

from __future__ import annotations

import asyncio
import random
import secrets
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import partial

from pyanamo_async.core import transitions
from pyanamo_async.core.failure_policy import FailurePolicy
from pyanamo_async.core.items import SINGLE_TASK, Item, Output, State, Task, TaskRecord
from pyanamo_async.core.outcomes import Succeeded
from pyanamo_async.core.text.plural import plural
from pyanamo_async.core.values import replace
from pyanamo_async.core.workers import Worker
from pyanamo_async.errors import PyanamoError, StoreError, Unavailable
from pyanamo_async.operate.bench_table import MARK, output_keys
from pyanamo_async.operate.importing import BATCH, add_all
from pyanamo_async.operate.measurements import LOOK_S, TABLE_WITHIN_S, Measurement, Operation
from pyanamo_async.ports import Clock, EventLog, OutputKey, OutputStore, Store, Units

HEARTBEATS = 20
SMALL_BYTES = 4096  # more than a record holds
CHUNK_BYTES = 64 * 1024  # what a pipe gives at once
LINE_BYTES = 64


class _WorkerLog:
    """An event log that keeps when items were claimed and settled, how many are done, and what went wrong last."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.times_s: list[float] = []
        self.done = 0
        self.problem = ""

    def note(self, event: str, /, **fields: object) -> None:
        reason = next((fields[name] for name in ("error", "trouble", "reason") if fields.get(name)), None)
        self.problem = f"{event}: {reason}" if reason else self.problem
        if event in {"item claimed", "item settled"}:
            self.times_s.append(self._clock.monotonic())
            self.done += fields.get("state") is State.DONE


@dataclass(frozen=True, slots=True)
class Bench:
    """Measures on a table of its own, with `items` each time, at most `concurrency` of them at once.

    `meter` returns the units charged so far; `work` runs a worker until nothing is left and returns its exit status.
    """

    store: Store
    outputs: OutputStore | None
    output_namespace: str
    me: Worker
    clock: Clock
    meter: Callable[[], Units | None]
    work: Callable[[EventLog], Awaitable[int]]
    note: Callable[[str], None]
    items: int
    concurrency: int
    stream_bytes: int

    async def measure(self) -> list[Measurement]:
        """Measure everything; output that cannot be stored is noted, and left out."""
        measurements: list[Measurement] = []
        for at_once in sorted({1, self.concurrency}):
            self.note(f"importing, claiming and settling {plural(self.items, 'item')}, {at_once} at a time")
            measurements += [await self._import(1 if at_once == 1 else BATCH), *await self._claim_and_settle(at_once)]
        measurements += [await self._heartbeats(), await self._worker()]
        if self.outputs is not None:
            first, *others = output_keys(self.output_namespace)
            self.note(f"storing {plural(len(others), 'small output')}, and one of {self.stream_bytes:,} bytes")
            try:
                measurements.append(await self._store(self.outputs, Operation.SMALL, others, SMALL_BYTES))
                measurements.append(await self._store(self.outputs, Operation.STREAM, [first], self.stream_bytes))
            except PyanamoError as error:
                self.note(f"output is not measured: {error}")
        return measurements

    def _measurement(
        self, operation: Operation, *, at_once: int = 1, count: int = 0, size_bytes: int = 0
    ) -> Measurement:
        return Measurement(operation, at_once, self.clock, self.meter, count=count, size_bytes=size_bytes)

    async def _import(self, at_once: int) -> Measurement:
        importing = self._measurement(Operation.IMPORT, at_once=min(at_once, self.items), count=self.items)
        run = secrets.token_hex(4)
        items = [Item(f"bench-{run}-{number:06d}", MARK, (Task(SINGLE_TASK, "true"),)) for number in range(self.items)]
        with importing.timed():
            if at_once == 1:
                for item in items:
                    await importing.call(partial(self.store.add, [item]))
            else:
                await add_all(self.store.add, items)
        return importing

    async def _claim_and_settle(self, at_once: int) -> tuple[Measurement, Measurement]:
        """Claim as many as a worker with `at_once` free slots claims, settle them together, and again."""
        claiming, settling = (self._measurement(each, at_once=at_once) for each in (Operation.CLAIM, Operation.SETTLE))
        until_s = self.clock.monotonic() + TABLE_WITHIN_S
        while claiming.count < self.items:
            limit = min(at_once, self.items - claiming.count)
            claim = partial(self.store.claim, self.me.worker_id, limit=limit, now=self.clock.now())
            with claiming.timed():
                claimed = await claiming.call(claim)
            if not claimed:
                await self._wait_for_index(until_s)
                continue
            with settling.timed():
                async with asyncio.TaskGroup() as settled:
                    for item in claimed:
                        settled.create_task(
                            settling.call(partial(self.store.save, item, self._done(item))), name="settle"
                        )
            claiming.count = settling.count = claiming.count + len(claimed)
            until_s = self.clock.monotonic() + TABLE_WITHIN_S
        return claiming, settling

    async def _wait_for_index(self, until_s: float) -> None:
        if self.clock.monotonic() > until_s:
            raise Unavailable(f"the table has not shown the remaining items for {TABLE_WITHIN_S:g} s")
        await self.store.next_due()  # looks again at shards that seemed empty
        await asyncio.sleep(LOOK_S)

    def _done(self, item: Item) -> Item:
        now, printed = self.clock.now(), Output(text="done\n", size_bytes=5, lines=1)
        record = TaskRecord(Succeeded(), now, now, 0.001, item.attempt, self.me.worker_id, 1 << 25, 0.001, printed)
        return transitions.settle(
            item, {SINGLE_TASK: record}, interrupted_by=None, now=now, policy=FailurePolicy(), jitter=0.0
        )

    async def _heartbeats(self) -> Measurement:
        heartbeats = self._measurement(Operation.HEARTBEAT, count=HEARTBEATS)
        with heartbeats.timed():
            for _ in range(HEARTBEATS):
                await heartbeats.call(partial(self.store.heartbeat, replace(self.me, heartbeat=self.clock.now())))
        return heartbeats

    async def _worker(self) -> Measurement:
        """Run scripts with a real worker: its time from the first claim to the last settle, and all its units."""
        self.note(f"running {plural(self.items, 'script')} with a worker, {self.concurrency} at a time")
        await self._import(BATCH)
        log = _WorkerLog(self.clock)
        running = self._measurement(Operation.WORKER, at_once=self.concurrency, count=self.items)
        with running.timed():
            status = await self.work(log)
        if log.done != self.items:
            ran = f"the worker ran {log.done} of {plural(self.items, 'script')} and ended with {status}"
            raise StoreError(f"{ran}; {log.problem}" if log.problem else ran)
        running.seconds = log.times_s[-1] - log.times_s[0]
        return running

    async def _store(
        self, outputs: OutputStore, operation: Operation, keys: Sequence[OutputKey], size_bytes: int
    ) -> Measurement:
        storing = self._measurement(operation, count=len(keys), size_bytes=size_bytes)
        text = _text()
        with storing.timed():
            for key in keys:
                await storing.call(partial(_store, outputs, key, text, size_bytes))
        storing.units = None  # the table has no part in this
        return storing


def _text() -> bytes:
    """Return a MiB of lines that compress to half their size, like logs full of numbers."""
    return random.Random(0).randbytes(1 << 19).hex("\n", -LINE_BYTES // 2).encode()  # noqa: S311 - no secret


async def _store(outputs: OutputStore, key: OutputKey, text: bytes, size_bytes: int) -> None:
    sink = outputs.open(key)
    try:
        for start in range(0, size_bytes, CHUNK_BYTES):
            at = start % (len(text) - CHUNK_BYTES)
            await sink.write(text[at : at + min(CHUNK_BYTES, size_bytes - start)])
        await sink.close()
    finally:
        await sink.abort()

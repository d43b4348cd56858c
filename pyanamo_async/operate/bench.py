"""Measure a table, the place for output and this machine: rate, latency, and what an item costs.

Law: what is measured is what a worker does, in the same batches, on the same loop. The items are small, of one script
that does nothing; larger rows cost more, by their size.
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
from pyanamo_async.operate.measurements import LOOK_S, TABLE_WITHIN_S, Measurement, What
from pyanamo_async.ports import Clock, EventLog, OutputKey, OutputStore, Store, Units

HEARTBEATS = 20
SMALL_BYTES = 4096  # too large for a record
CHUNK_BYTES = 64 * 1024  # what a pipe gives at once
LINE_BYTES = 64


class _Watch:
    """A journal that keeps when the first item was claimed and the last settled, how many are done, and why not."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.moments_s: list[float] = []
        self.done = 0
        self.trouble = ""

    def note(self, event: str, /, **fields: object) -> None:
        told = next((fields[name] for name in ("error", "trouble", "reason") if fields.get(name)), None)
        self.trouble = f"{event}: {told}" if told else self.trouble
        if event in {"item claimed", "item settled"}:
            self.moments_s.append(self._clock.monotonic())
            self.done += fields.get("state") is State.DONE


@dataclass(frozen=True, slots=True)
class Bench:
    """Measures on a disposable table whose output is `filed_as`, with `items` each time.

    `meter` tells the units charged until now; `work` runs a worker until nothing is left and returns its exit status.
    """

    store: Store
    outputs: OutputStore | None
    output_namespace: str
    me: Worker
    clock: Clock
    meter: Callable[[], Units | None]
    work: Callable[[EventLog], Awaitable[int]]
    say: Callable[[str], None]
    items: int
    at_once: int
    stream_bytes: int

    async def measure(self) -> list[Measurement]:
        """Measure everything; output that fails is told, and left out."""
        figures: list[Measurement] = []
        for at_once in sorted({1, self.at_once}):
            self.say(f"importing, claiming and settling {plural(self.items, 'item')}, {at_once} at a time")
            figures += [await self._import(1 if at_once == 1 else BATCH), *await self._lives(at_once)]
        figures += [await self._heartbeats(), await self._worker()]
        if self.outputs is not None:
            first, *others = output_keys(self.output_namespace)
            self.say(f"storing {plural(len(others), 'small output')}, and one of {self.stream_bytes:,} bytes")
            try:
                figures.append(await self._store(self.outputs, What.SMALL, others, SMALL_BYTES))
                figures.append(await self._store(self.outputs, What.STREAM, [first], self.stream_bytes))
            except PyanamoError as trouble:
                self.say(f"output is not measured: {trouble}")
        return figures

    def _figure(self, what: What, *, at_once: int = 1, count: int = 0, size_bytes: int = 0) -> Measurement:
        return Measurement(what, at_once, self.clock, self.meter, count=count, size_bytes=size_bytes)

    async def _import(self, at_once: int) -> Measurement:
        importing = self._figure(What.IMPORT, at_once=min(at_once, self.items), count=self.items)
        run = secrets.token_hex(4)
        items = [Item(f"bench-{run}-{number:06d}", MARK, (Task(SINGLE_TASK, "true"),)) for number in range(self.items)]
        with importing.taken():
            if at_once == 1:
                for item in items:
                    await importing.call(partial(self.store.add, [item]))
            else:
                await add_all(self.store.add, items, lambda _: None)
        return importing

    async def _lives(self, at_once: int) -> tuple[Measurement, Measurement]:
        """Claim what a worker with so many free slots claims, settle it together, and again."""
        claiming, settling = (self._figure(what, at_once=at_once) for what in (What.CLAIM, What.SETTLE))
        until_s = self.clock.monotonic() + TABLE_WITHIN_S
        while claiming.count < self.items:
            limit = min(at_once, self.items - claiming.count)
            claim = partial(self.store.claim, self.me.worker_id, limit=limit, now=self.clock.now())
            with claiming.taken():
                claimed = await claiming.call(claim)
            if not claimed:
                await self._wait_for_index(until_s)
                continue
            with settling.taken():
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
            raise Unavailable(f"the table has not shown the items that are left for {TABLE_WITHIN_S:g} s")
        await self.store.next_due()  # what was taken for empty is looked at again
        await asyncio.sleep(LOOK_S)

    def _done(self, item: Item) -> Item:
        now, printed = self.clock.now(), Output(text="done\n", size_bytes=5, lines=1)
        record = TaskRecord(Succeeded(), now, now, 0.001, item.attempt, self.me.worker_id, 1 << 25, 0.001, printed)
        return transitions.settle(
            item, {SINGLE_TASK: record}, interrupted_by=None, now=now, policy=FailurePolicy(), jitter=0.0
        )

    async def _heartbeats(self) -> Measurement:
        heartbeats = self._figure(What.HEARTBEAT, count=HEARTBEATS)
        with heartbeats.taken():
            for _ in range(HEARTBEATS):
                await heartbeats.call(partial(self.store.heartbeat, replace(self.me, heartbeat=self.clock.now())))
        return heartbeats

    async def _worker(self) -> Measurement:
        """Let a real worker run scripts; the time is from its first claim to its last settle, the units are all."""
        self.say(f"running {plural(self.items, 'script')} with a worker, {self.at_once} at a time")
        await self._import(BATCH)
        running, watch = self._figure(What.WORKER, at_once=self.at_once, count=self.items), _Watch(self.clock)
        with running.taken():
            status = await self.work(watch)
        if watch.done != self.items:
            ran = f"the worker ran {watch.done} of {plural(self.items, 'script')} and ended with {status}"
            raise StoreError(f"{ran}; {watch.trouble}" if watch.trouble else ran)
        running.seconds = watch.moments_s[-1] - watch.moments_s[0]
        return running

    async def _store(self, outputs: OutputStore, what: What, keys: Sequence[OutputKey], size_bytes: int) -> Measurement:
        storing = self._figure(what, count=len(keys), size_bytes=size_bytes)
        text = _text()
        with storing.taken():
            for key in keys:
                await storing.call(partial(_store, outputs, key, text, size_bytes))
        storing.units = None  # of the table, which has no part in this
        return storing


def _text() -> bytes:
    """Make a MiB of lines that get smaller by half when compressed, as logs full of numbers do."""
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

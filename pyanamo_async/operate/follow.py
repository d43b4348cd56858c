"""Follow what a task prints, to the end of its attempt.

1. The worker publishes while somebody subscribes, and no longer: whatever ends the following, it unsubscribes.
2. No byte is shown twice, and a note says how much came too fast to be shown.
3. At the end the rest is read from where the whole output is stored, so that nothing is missing there.
4. A follower stays with one attempt: the one that runs, or the next to begin.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta

from pyanamo_async.core.items import Item, Output, State, Task, TaskRecord, TaskState
from pyanamo_async.core.outcomes import Outcome, Succeeded
from pyanamo_async.core.output_tail import OutputTail, TailChunk, TaskRef
from pyanamo_async.core.text.plural import plural
from pyanamo_async.core.values import replace
from pyanamo_async.errors import ItemMissing, PyanamoError, Unavailable
from pyanamo_async.fleet.membership import WorkerCondition, list_workers
from pyanamo_async.operate.logs import STDERR, LogReader, find_task
from pyanamo_async.ports import Clock, Processes, Store

LOOK_S = 0.5
SUBSCRIPTION = timedelta(minutes=2)  # how long one lasts that cannot be ended; longer than clocks differ
RENEWAL_S = 30.0
CHECK_S = 5.0


@dataclass(slots=True)
class Follower:
    """Follows one task, once: `show` takes bytes of each of the `streams`, `note` takes lines about them."""

    item_id: str
    task: str | None
    streams: Sequence[str]
    show: Callable[[str, bytes], None]
    note: Callable[[str], None]
    store: Store
    reader: LogReader
    clock: Clock
    processes: Processes
    _shown_to: Counter[str] = field(default_factory=Counter)
    _subscription: tuple[str, TaskRef] | None = None
    _renew_s: float = 0.0
    _check_s: float = 0.0
    _noted: set[str] = field(default_factory=set)

    async def follow(self) -> Outcome | None:
        """Show what the task prints until its attempt ends; return its outcome, or None when that is unknown.

        Raises:
            OutputMissing: the task has ended, and the table has no record of it.
            UsageError: the item has several tasks and none was named, or none has that name.
        """
        item = await self.store.read(self.item_id)
        task = find_task(item, self.task)
        if task.state is not TaskState.TODO or item.state not in {State.TODO, State.LOCKED}:
            for stream in self.streams:
                await self.reader.find(item, task, stream)  # raises what is missing
            return await self._finish(task, task.record) if task.record else None
        try:
            return await self._follow(TaskRef(item.item_id, task.name, item.attempt + (item.state is State.TODO)))
        finally:
            await asyncio.shield(self._unsubscribe())

    async def _follow(self, ref: TaskRef) -> Outcome | None:
        while True:
            try:
                item = await self.store.read(ref.item_id)
                task = find_task(item, ref.task)
                if task.record and task.record.attempt >= ref.attempt:
                    return await self._finish(task, task.record, ref)
                if _was_given_back(item, ref):
                    await self._unsubscribe()
                    self._shown_to.clear()
                    ref = replace(ref, attempt=item.attempt + 1)
                lost = await self._look(item, ref)
            except Unavailable as error:
                self._note_once(str(error))
            else:
                if lost:
                    self.note(f"attempt {ref.attempt} was lost: {lost}")
                    return None
            await asyncio.sleep(LOOK_S)

    async def _look(self, item: Item, ref: TaskRef) -> str:
        """Show what is new; return why nothing more will come, or an empty text."""
        if item.state is State.TODO and item.attempt < ref.attempt:
            until = f", not before {item.not_before:%H:%M:%S} UTC" if item.not_before else ""
            self._note_once(f"item {item.item_id} is waiting for a worker{until}")
            return ""
        if item.state is not State.LOCKED or item.attempt > ref.attempt:
            return item.reason.removeprefix(f"attempt {ref.attempt}: ") or f"the item is {item.state}"
        self._note_once(f"attempt {ref.attempt} is running on {item.worker}")
        try:
            tail = await self._ask(item.worker, ref)
        except ItemMissing:
            return f"worker {item.worker} is gone"
        for stream in self.streams:
            self._show(stream, tail.stderr if stream == STDERR else tail.stdout)
        return await self._why_lost(item.worker)

    async def _ask(self, worker_id: str, ref: TaskRef) -> OutputTail:
        """Read what is published; subscribe first, or again when another reader ended the subscription."""
        tail = await self.store.published(ref)
        now_s = self.clock.monotonic()
        if tail is None or now_s >= self._renew_s:
            self._subscription, self._renew_s = (worker_id, ref), now_s + RENEWAL_S
            await self.store.follow(worker_id, ref, until=self.clock.now() + SUBSCRIPTION)
        return tail or OutputTail()

    async def _unsubscribe(self) -> None:
        if self._subscription is not None:
            with suppress(PyanamoError):  # the subscription expires by itself
                await self.store.follow(*self._subscription, until=None)

    async def _why_lost(self, worker_id: str) -> str:
        """Return why a worker will not finish what it holds, checking its heartbeat now and then."""
        if self.clock.monotonic() < self._check_s:
            return ""
        self._check_s = self.clock.monotonic() + CHECK_S
        now = self.clock.now()
        for seen in await list_workers(self.store, now=now, processes=self.processes, of=[worker_id]):
            if seen.condition is WorkerCondition.DIED:
                return f"worker {worker_id} died"
            if seen.vanished:
                return f"worker {worker_id} has sent no heartbeat since {seen.worker.heartbeat:%H:%M:%S} UTC"
        return ""

    def _show(self, stream: str, chunk: TailChunk) -> None:
        reached = self._shown_to[stream]
        if chunk.start > reached:
            chunk = _whole_lines(chunk)
            self._skip(stream, chunk.start - reached)
        if chunk.end > reached:
            self.show(stream, chunk.data[max(0, reached - chunk.start) :])
            self._shown_to[stream] = chunk.end

    async def _finish(self, task: Task, record: TaskRecord, ref: TaskRef | None = None) -> Outcome:
        if ref is None or record.attempt != ref.attempt:
            self._shown_to.clear()
        for stream in self.streams:
            await self._show_rest(stream, record.stderr if stream == STDERR else record.stdout)
        self.note(_ending(task, record))
        return record.outcome

    async def _show_rest(self, stream: str, output: Output) -> None:
        reached = self._shown_to[stream]
        if reached < output.size_bytes:
            if output.at or len(output.text.encode()) == output.size_bytes:
                async for data in self.reader.read_whole(output, start=reached):
                    self.show(stream, data)
            else:
                self._skip(stream, output.size_bytes - reached)
        if output.status:
            self.note(f"this is not all of {stream}: {output.status}")

    def _skip(self, stream: str, size_bytes: int) -> None:
        self.note(f"... {plural(size_bytes, 'byte')} of {stream} skipped ...")

    def _note_once(self, line: str) -> None:
        if line not in self._noted:
            self._noted.add(line)
            self.note(line)


def _whole_lines(chunk: TailChunk) -> TailChunk:
    """Drop the line that was cut at the front, unless it is the only one."""
    return TailChunk(chunk.data[chunk.data.find(b"\n", 0, -1) + 1 :], chunk.end)


def _was_given_back(item: Item, ref: TaskRef) -> bool:
    """Return whether an attempt left no trace: it never started, or a person reset the item."""
    ended = item.state is State.TODO and item.attempt >= ref.attempt
    return ended and not item.reason.startswith(f"attempt {ref.attempt}:")


def _ending(task: Task, record: TaskRecord) -> str:
    if isinstance(record.outcome, Succeeded):
        return f"attempt {record.attempt} succeeded"
    again = "; it will run again" if task.state is TaskState.TODO else ""
    return f"attempt {record.attempt} ended: {record.outcome.reason}{again}"

"""Follow what a task prints, to the end of its attempt.

Laws: the worker is asked while somebody watches, and no longer: whatever ends the watching, the wish is withdrawn. No
byte is shown twice, and what came too fast to be shown is said. At the end the rest comes from where the whole is kept,
so that nothing is missing there. Whoever follows stays with one attempt: the one that runs, or the next to begin.
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
from pyanamo_async.core.workers import ProcessStatus, Worker
from pyanamo_async.errors import ItemMissing, PyanamoError, Unavailable
from pyanamo_async.operate.logs import STDERR, Reader, task_of
from pyanamo_async.ports import Clock, Store

LOOK_S = 0.5
WISH = timedelta(minutes=2)  # of a reader that cannot withdraw it; outlives clocks that differ a little
RENEWAL_S = 30.0
CHECK_S = 5.0
SILENCE = timedelta(seconds=30)  # whoever beats more often than that need not be looked at


@dataclass(frozen=True, slots=True)
class View:
    """Where it appears: `show` takes bytes of a stream, `say` a line about them. `streams` are those to be seen."""

    streams: Sequence[str]
    show: Callable[[str, bytes], None]
    say: Callable[[str], None]


@dataclass(slots=True)
class Follower:
    """Follows one task, once. `fate` tells what became of a worker's process on this machine."""

    item_id: str
    task: str | None
    view: View
    store: Store
    reader: Reader
    clock: Clock
    process_status: Callable[[Worker], ProcessStatus] = lambda _: ProcessStatus.UNKNOWN
    _reached: Counter[str] = field(default_factory=Counter)
    _wish: tuple[str, TaskRef] | None = None
    _renew_s: float = 0.0
    _check_s: float = 0.0
    _said: set[str] = field(default_factory=set)

    async def follow(self) -> Outcome | None:
        """Show what the task prints until its attempt is over; tell how that ended, None when nothing is known of it.

        Raises:
            OutputMissing: it is over, and the table has no record of it.
            UsageError: the item has several tasks and none was named, or none of that name.
        """
        item = await self.store.read(self.item_id)
        task = task_of(item, self.task)
        if task.state is not TaskState.TODO or item.state not in {State.TODO, State.LOCKED}:
            for stream in self.view.streams:
                await self.reader.find(item, task, stream)  # or it says what is missing
            return await self._finish(task, task.record) if task.record else None
        try:
            return await self._follow(TaskRef(item.item_id, task.name, item.attempt + (item.state is State.TODO)))
        finally:
            await asyncio.shield(self._withdraw())

    async def _follow(self, feed: TaskRef) -> Outcome | None:
        while True:
            try:
                item = await self.store.read(feed.item_id)
                task = task_of(item, feed.task)
                if task.record and task.record.attempt >= feed.attempt:
                    return await self._finish(task, task.record, feed)
                if _was_given_back(item, feed):
                    feed = await self._turn_to(replace(feed, attempt=item.attempt + 1))
                lost = await self._look(item, feed)
            except Unavailable as trouble:  # for now
                self._say_once(str(trouble))
            else:
                if lost:
                    self.view.say(f"attempt {feed.attempt} is lost: {lost}")
                    return None
            await asyncio.sleep(LOOK_S)

    async def _look(self, item: Item, feed: TaskRef) -> str:
        """Show what is new; return why nothing more will come, if so."""
        if item.state is State.TODO and item.attempt < feed.attempt:
            self._say_once(f"item {item.item_id} waits for a worker{_until(item)}")
            return ""
        if item.state is not State.LOCKED or item.attempt > feed.attempt:
            return item.reason.removeprefix(f"attempt {feed.attempt}: ") or f"the item is {item.state}"
        self._say_once(f"attempt {feed.attempt} runs on {item.worker}")
        try:
            live = await self._ask(item.worker, feed)
        except ItemMissing:
            return f"worker {item.worker} is gone"
        for stream in self.view.streams:
            self._show(stream, live.stderr if stream == STDERR else live.stdout)
        return await self._trouble_of(item.worker)

    async def _ask(self, worker_id: str, feed: TaskRef) -> OutputTail:
        """Read what is published; ask for it when nobody does, also when another reader withdrew what we share."""
        live = await self.store.published(feed)
        now_s = self.clock.monotonic()
        if live is None or now_s >= self._renew_s:
            self._wish, self._renew_s = (worker_id, feed), now_s + RENEWAL_S
            await self.store.follow(worker_id, feed, until=self.clock.now() + WISH)
        return live or OutputTail()

    async def _turn_to(self, feed: TaskRef) -> TaskRef:
        await self._withdraw()
        self._reached.clear()
        return feed

    async def _withdraw(self) -> None:
        if self._wish is not None:
            with suppress(PyanamoError):  # it expires
                await self.store.follow(*self._wish, until=None)

    async def _trouble_of(self, worker_id: str) -> str:
        """Say why a worker will not finish what it holds, now and then looking whether it shows signs of life."""
        if self.clock.monotonic() < self._check_s:
            return ""
        now, self._check_s = self.clock.now(), self.clock.monotonic() + CHECK_S
        for worker in await self.store.workers(of=[worker_id]):
            if worker.heartbeat >= now - SILENCE:
                continue
            if self.process_status(worker) is ProcessStatus.DIED:
                return f"worker {worker_id} died"
            if worker.is_stale(now):
                return f"worker {worker_id} has shown no sign of life since {worker.heartbeat:%H:%M:%S} UTC"
        return ""

    def _show(self, stream: str, piece: TailChunk) -> None:
        reached = self._reached[stream]
        if piece.start > reached:
            piece = _whole_lines(piece)
            self._skip(stream, piece.start - reached)
        if piece.end > reached:
            self.view.show(stream, piece.data[max(0, reached - piece.start) :])
            self._reached[stream] = piece.end

    async def _finish(self, task: Task, record: TaskRecord, feed: TaskRef | None = None) -> Outcome:
        if feed is None or record.attempt != feed.attempt:
            self._reached.clear()
        for stream in self.view.streams:
            await self._show_rest(stream, record.stderr if stream == STDERR else record.stdout)
        self.view.say(_ending(task, record))
        return record.outcome

    async def _show_rest(self, stream: str, output: Output) -> None:
        reached = self._reached[stream]
        if reached < output.size_bytes:
            if output.at or len(output.text.encode()) == output.size_bytes:
                async for data in self.reader.pieces(output, start=reached):
                    self.view.show(stream, data)
            else:
                self._skip(stream, output.size_bytes - reached)
        if output.status:
            self.view.say(f"this is not all of {stream}: {output.status}")

    def _skip(self, stream: str, size_bytes: int) -> None:
        self.view.say(f"... {plural(size_bytes, 'byte')} of {stream} skipped ...")

    def _say_once(self, line: str) -> None:
        if line not in self._said:
            self._said.add(line)
            self.view.say(line)


def _whole_lines(piece: TailChunk) -> TailChunk:
    """Leave out the line that was cut at the front, unless there is no other."""
    return TailChunk(piece.data[piece.data.find(b"\n", 0, -1) + 1 :], piece.end)


def _was_given_back(item: Item, feed: TaskRef) -> bool:
    """Tell whether an attempt ended as if it had never been: unstarted, or by a person's reset."""
    ended = item.state is State.TODO and item.attempt >= feed.attempt
    return ended and not item.reason.startswith(f"attempt {feed.attempt}:")


def _until(item: Item) -> str:
    return f", not before {item.not_before:%H:%M:%S} UTC" if item.not_before else ""


def _ending(task: Task, record: TaskRecord) -> str:
    if isinstance(record.outcome, Succeeded):
        return f"attempt {record.attempt} succeeded"
    again = "; it will be run again" if task.state is TaskState.TODO else ""
    return f"attempt {record.attempt} ended: {record.outcome.reason}{again}"

"""Receive one stream of one attempt: what is small stays in memory, more goes to a sink while it is produced.

1. Memory is bounded by `HIGH_WATER_BYTES` and what the sink holds: a slow storage makes the script wait.
2. With `most_bytes`, the sink gets no more; the rest is read and counted, and the record says how much was cut.
3. Output that cannot be stored never ends a script: the rest of it is read, only its tail is kept, and the record says
   why.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from pyanamo_async.core.capture import Capture
from pyanamo_async.core.items import Item, Output, Task
from pyanamo_async.core.output_tail import TailBuffer, TailChunk
from pyanamo_async.core.stored.row_size import inline_bytes
from pyanamo_async.errors import PyanamoError
from pyanamo_async.ports import OutputKey, Sink
from pyanamo_async.worker.context import AttemptContext

HIGH_WATER_BYTES = 128 * 1024


class Recorder:
    """The receiver of one stream. `close` or `abort` ends it, and must be called."""

    def __init__(self, capture: Capture, open_sink: Callable[[], Sink], *, most_bytes: int | None = None) -> None:
        self._capture = capture
        self._open_sink = open_sink
        self._most, self._passed, self._cut = most_bytes, 0, 0  # bytes for the sink, and beyond
        self._waiting_bytes = 0
        self._paused = self._is_ended = False
        self._lost = ""
        self._location = ""
        self._kept: Output | None = None
        self._sink: Sink | None = None
        self._pump: asyncio.Task[None] | None = None
        self._tail: TailBuffer | None = None
        self._waiting: asyncio.Queue[bytes]  # an empty chunk is the end
        self._resume: Callable[[], None] | None = None

    def resume_with(self, resume: Callable[[], None]) -> None:
        """Call this when the sink has caught up; at once when it did so before anybody could be told."""
        self._resume = resume
        if not self._paused:
            resume()

    def feed(self, chunk: bytes) -> bool:
        """Take a chunk; return False while the sink is behind."""
        if self._tail is not None:
            self._tail.feed(chunk)
        for_sink = self._allowed(self._capture.feed(chunk))
        if not for_sink or self._lost:
            return True
        self._put(for_sink)
        self._paused = self._waiting_bytes >= HIGH_WATER_BYTES
        return not self._paused

    def watch(self) -> TailChunk:
        """Return what was printed last: what happens to be at hand at first, a longer chunk from then on."""
        if self._tail is None:
            self._tail = TailBuffer(self._capture.tail())
        return self._tail.chunk()

    @property
    def failing_tag(self) -> str | None:
        """Return the first tag so far that means a failure."""
        return self._capture.failing_tag

    def end(self) -> None:
        """Take the end of the stream: the sink gets what it has not got. Harmless when repeated."""
        if self._is_ended:
            return
        self._is_ended = True
        for_sink = self._allowed(self._capture.end())
        if for_sink and not self._lost:
            self._put(for_sink)
        if self._pump is not None:
            self._waiting.put_nowait(b"")

    async def close(self) -> Output:
        """Make the output durable and return what is known of it."""
        self.end()
        if self._pump is not None:
            await asyncio.wait([self._pump])  # when the caller cannot wait that long, the pump goes on
        self._kept = self._capture.output(at=self._location, status=self._lost or self._shortened())
        return self._kept

    def give_up(self, reason: str) -> Output:
        """Return what is known of the output without waiting for what is not stored yet; `abort` discards that."""
        if self._kept is None:
            self._lost = self._lost or reason
            self._kept = self._capture.output(status=self._lost)
        return self._kept

    async def abort(self) -> None:
        """Discard the output and whatever of it is stored already; what still comes is read and forgotten."""
        self._lost = self._lost or "discarded"
        if self._pump is not None:
            self._pump.cancel()
            await asyncio.wait([self._pump])
        if self._sink is not None:
            await self._sink.abort()
        self._taken(self._waiting_bytes)

    def _allowed(self, data: bytes) -> bytes:
        """Return as much as the sink may still get."""
        allowed = data if self._most is None else data[: self._most - self._passed]
        self._passed += len(allowed)
        self._cut += len(data) - len(allowed)
        return allowed

    def _shortened(self) -> str:
        return f"cut: {self._passed:,} of {self._passed + self._cut:,} bytes are stored" if self._cut else ""

    def _put(self, chunk: bytes) -> None:
        if self._pump is None:
            self._waiting = asyncio.Queue()
            self._sink = self._open_sink()
            self._pump = asyncio.create_task(self._store(self._sink), name="output")
        self._waiting.put_nowait(chunk)
        self._waiting_bytes += len(chunk)

    async def _store(self, sink: Sink) -> None:
        try:
            while chunk := await self._waiting.get():
                await sink.write(chunk)
                self._taken(len(chunk))
            self._location = await sink.close()
        except Exception as trouble:  # noqa: BLE001 - whatever it is, the script must not wait for ever for room
            self._lost = f"not stored: {trouble.what if isinstance(trouble, PyanamoError) else repr(trouble)}"
            self._taken(self._waiting_bytes)
            await sink.abort()

    def _taken(self, size_bytes: int) -> None:
        self._waiting_bytes -= size_bytes
        if self._paused and self._waiting_bytes < HIGH_WATER_BYTES:
            self._paused = False
            if self._resume is not None:
                self._resume()


def recorder_for(item: Item, task: Task, stream: str, context: AttemptContext) -> Recorder:
    """Return the recorder of one stream of an attempt at a task."""
    adapters, tasks = context.adapters, context.tasks
    fail_on = tasks.failure_policy.failing_tags

    def sink() -> Sink:  # most outputs never need it
        key = OutputKey(adapters.output_namespace, item.item_id, task.name, item.attempt, stream, item.mark)
        return adapters.outputs.open(key)

    capture = Capture(inline_bytes(len(item.tasks)), tagged=stream == "stdout", fail_on=fail_on)
    return Recorder(capture, sink, most_bytes=tasks.max_output_bytes)

"""Receive one stream of one attempt: what is small stays in memory, more goes to a sink while it is produced.

Laws: memory is bounded by `HIGH_WATER_BYTES` and what the sink holds: a slow storage makes the script wait. Output that
cannot be stored never ends a script: the rest of it is read and only its tail kept, and the record says why.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable

from pyanamo_async.core.capture import Capture
from pyanamo_async.core.items import Output
from pyanamo_async.core.output_tail import TailBuffer, TailChunk
from pyanamo_async.errors import PyanamoError
from pyanamo_async.ports import Sink

HIGH_WATER_BYTES = 128 * 1024


class Recorder:
    """The receiver of one stream. `close` or `abort` ends it, and must be called."""

    def __init__(self, capture: Capture, open_sink: Callable[[], Sink]) -> None:
        self._capture = capture
        self._open_sink = open_sink
        self._waiting: deque[bytes] = deque()
        self._waiting_bytes = 0
        self._ended = False
        self._paused = False
        self._lost = ""
        self._location = ""
        self._kept: Output | None = None
        self._sink: Sink | None = None
        self._pump: asyncio.Task[None] | None = None
        self._watched: TailBuffer | None = None
        self._wake: asyncio.Event
        self.resume: Callable[[], None] = lambda: None

    def feed(self, chunk: bytes) -> bool:
        """Take a chunk; False while the sink is behind."""
        if self._watched is not None:
            self._watched.feed(chunk)
        for_sink = self._capture.feed(chunk)
        if not for_sink or self._lost:
            return True
        self._put(for_sink)
        self._paused = self._waiting_bytes >= HIGH_WATER_BYTES
        return not self._paused

    def watch(self) -> TailChunk:
        """Show what was printed last: what happens to be at hand at first, a longer piece from then on."""
        if self._watched is None:
            self._watched = TailBuffer(self._capture.tail())
        return self._watched.chunk()

    async def close(self) -> Output:
        """Make the output durable and tell what is known of it."""
        for_sink = self._capture.end()
        if for_sink and not self._lost:
            self._put(for_sink)
        if self._pump is not None:
            self._ended = True
            self._wake.set()
            await asyncio.wait([self._pump])  # whoever cannot wait so long goes, and what cleans up behind it goes on
        self._kept = self._capture.output(at=self._location, status=self._lost)
        return self._kept

    def give_up(self, reason: str) -> Output:
        """Tell what is known of the output without waiting for what is not stored yet; `abort` throws that away."""
        if self._kept is None:
            self._lost = self._lost or reason
            self._kept = self._capture.output(status=self._lost)
        return self._kept

    async def abort(self) -> None:
        """Throw the output away, and whatever of it is stored already; what still comes is read and forgotten."""
        self._lost = self._lost or "thrown away"
        if self._pump is not None:
            self._pump.cancel()
            await asyncio.wait([self._pump])
        if self._sink is not None:
            await self._sink.abort()
        self._forget()

    def _put(self, chunk: bytes) -> None:
        self._waiting.append(chunk)
        self._waiting_bytes += len(chunk)
        if self._pump is None:
            self._wake = asyncio.Event()
            self._sink = self._open_sink()
            self._pump = asyncio.create_task(self._store(self._sink), name="output")
        self._wake.set()

    async def _store(self, sink: Sink) -> None:
        try:
            while await self._more():
                chunk = self._waiting.popleft()
                self._waiting_bytes -= len(chunk)
                await sink.write(chunk)
                self._go_on()
            self._location = await sink.close()
        except Exception as trouble:  # noqa: BLE001 - whatever it is, the script must not wait for ever for room
            self._give_up(trouble)

    async def _more(self) -> bool:
        while not self._waiting and not self._ended:
            self._wake.clear()
            await self._wake.wait()
        return bool(self._waiting)

    def _go_on(self) -> None:
        if self._paused and self._waiting_bytes < HIGH_WATER_BYTES:
            self._paused = False
            self.resume()

    def _give_up(self, trouble: Exception) -> None:
        self._lost = f"not stored: {trouble.what if isinstance(trouble, PyanamoError) else repr(trouble)}"
        self._forget()

    def _forget(self) -> None:
        self._waiting.clear()
        self._waiting_bytes = 0
        self._go_on()

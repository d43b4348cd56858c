"""The reading end of one output of a script: read as it comes, into a receiver that may ask it to pause.

No task and no stream per pipe: a callback of the loop, or after the exit a direct read, hands each chunk on. Laws: no
more than one chunk is read after the receiver asked to pause; one read takes all that is in the pipe, so the first read
after the exit takes what was printed before it.
"""

from __future__ import annotations

import asyncio
import os

from pyanamo_async.ports import Receiver

CHUNK_BYTES = 1 << 16  # what a pipe holds unless it is told otherwise


class OutputPipe:
    """A pipe of ours. `write_end` is for the script and must be closed here once it has started."""

    __slots__ = ("_changed", "_fd", "_is_listening", "_is_owed", "_is_paused", "_loop", "_receiver", "write_end")

    def __init__(self, receiver: Receiver, loop: asyncio.AbstractEventLoop) -> None:
        self._fd, self.write_end = os.pipe()
        os.set_blocking(self._fd, False)
        self._receiver = receiver
        self._loop = loop
        self._is_listening = False
        self._is_paused = False
        self._is_owed = False
        self._changed: asyncio.Future[None] | None = None

    @property
    def is_open(self) -> bool:
        """Tell whether somebody may still print."""
        return self._fd >= 0

    def listen(self) -> None:
        """Read whenever there is something, unless paused."""
        if self.is_open and not self._is_listening and not self._is_paused:
            self._loop.add_reader(self._fd, self._read)
            self._is_listening = True

    def resume(self) -> None:
        """Go on after a pause."""
        if self._is_paused:
            self._is_paused = False
            self.listen()

    def drain(self) -> None:
        """After the exit: take what was printed before, unless paused, and look for the end behind it."""
        self._is_owed = True
        for _ in range(2):
            if self.is_open and not self._is_paused:
                self._read()

    async def paid(self) -> None:
        """After the exit: wait until what was printed before has been fed."""
        while self.is_open and self._is_owed:
            await self._next_read()

    async def ended(self) -> None:
        """Wait until nobody can print any more."""
        while self.is_open:
            await self._next_read()

    def close(self) -> None:
        """Let go of the descriptor; harmless when repeated."""
        if self.is_open:
            self._unlisten()
            os.close(self._fd)
            self._fd = -1
            self._notify()

    def _read(self) -> None:
        self._is_owed = False
        try:
            chunk = os.read(self._fd, CHUNK_BYTES)
        except BlockingIOError:
            chunk = None
        if chunk == b"":
            self.close()
        elif chunk and not self._receiver.feed(chunk):
            self._is_paused = True
            self._unlisten()
        self._notify()

    def _unlisten(self) -> None:
        if self._is_listening:
            self._loop.remove_reader(self._fd)
            self._is_listening = False

    async def _next_read(self) -> None:
        if self._changed is None:
            self._changed = self._loop.create_future()
        await asyncio.shield(self._changed)

    def _notify(self) -> None:
        if self._changed is not None:
            self._changed.set_result(None)
            self._changed = None

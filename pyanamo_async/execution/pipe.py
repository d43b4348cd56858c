"""The reading end of one output of a script: read as output comes, into a receiver that may ask for a pause.

There is no task and no stream for each pipe: a callback of the loop, or a direct read after the exit, passes each chunk
on. Larger pipes and chunks were measured and are not faster.

1. Nothing is read after the receiver asked for a pause.
2. Everything that was printed before the exit reaches the receiver. A read that returns less than it asked for has
   emptied the pipe.
"""

from __future__ import annotations

import asyncio
import os

from pyanamo_async.ports import Receiver

CHUNK_BYTES = 1 << 16  # what a pipe holds unless a program enlarges it
MAX_PIPE_BYTES = 1 << 20  # the most to which a program may enlarge it (/proc/sys/fs/pipe-max-size)


class OutputPipe:
    """A pipe. `write_end` is for the script; the launcher closes it in this process once the script has started."""

    __slots__ = ("_backlog_bytes", "_changed", "_fd", "_is_paused", "_loop", "_receiver", "write_end")

    def __init__(self, receiver: Receiver, loop: asyncio.AbstractEventLoop) -> None:
        self._fd, self.write_end = os.pipe()
        os.set_blocking(self._fd, False)
        self._receiver = receiver
        self._loop = loop
        self._is_paused = False
        self._backlog_bytes = 0  # at most so much of what was printed before the exit has not been read
        self._changed = asyncio.Event()
        loop.add_reader(self._fd, self._read)

    @property
    def is_open(self) -> bool:
        """Return whether more output may come."""
        return self._fd >= 0

    def resume(self) -> None:
        """Go on after a pause."""
        if self._is_paused:
            self._is_paused = False
            if self.is_open:
                self._loop.add_reader(self._fd, self._read)

    def drain(self) -> None:
        """After the exit: read what was printed before, unless paused, and notice if the pipe has ended."""
        self._backlog_bytes = MAX_PIPE_BYTES
        while self._has_backlog and not self._is_paused:
            self._read()
        if self.is_open and not self._is_paused:
            self._read()

    async def drained(self) -> None:
        """After `drain`: wait until the receiver has everything that was printed before the exit."""
        while self._has_backlog:
            await self._next_read()

    async def ended(self) -> None:
        """Wait until nobody can print any more."""
        while self.is_open:
            await self._next_read()

    def close(self) -> None:
        """Close the descriptor; harmless when repeated."""
        if self.is_open:
            self._loop.remove_reader(self._fd)
            os.close(self._fd)
            self._fd = -1
            self._changed.set()

    @property
    def _has_backlog(self) -> bool:
        return self.is_open and self._backlog_bytes > 0

    def _read(self) -> None:
        try:
            chunk = os.read(self._fd, CHUNK_BYTES)
        except BlockingIOError:
            self._backlog_bytes = 0
            self._changed.set()
            return
        self._backlog_bytes = self._backlog_bytes - CHUNK_BYTES if len(chunk) == CHUNK_BYTES else 0
        if not chunk:
            self.close()
        elif not self._receiver.feed(chunk):
            self._is_paused = True
            self._loop.remove_reader(self._fd)
        self._changed.set()

    async def _next_read(self) -> None:
        self._changed.clear()
        await self._changed.wait()

"""Write to stderr from a thread, so that a slow or missing reader never blocks the program.

1. Writing only appends a value to a queue. What does not fit is dropped, counted, and reported: "412 lines dropped".
2. The thread alone turns values into text and writes it: at most 4,096 bytes at a time, once stderr takes them.
3. If the reader is gone (EPIPE, or EIO of a closed terminal), the output ends, not the program. If the disk is full,
   the lines for which it has no room are lost.
4. Meanwhile `sys.stderr` is replaced: logging, warnings and tracebacks are written in the same way.
"""

from __future__ import annotations

import errno
import os
import select
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import Protocol, TextIO, cast

from pyanamo_async.core.text.plural import plural
from pyanamo_async.core.text.visible import visible

QUEUED = 4096  # values: half a megabyte of log lines
CHUNK_BYTES = 4096  # a pipe that `poll` reports as writable takes as many without blocking (PIPE_BUF)
GATHER_S = 0.1  # close lines share a write: to wake the thread for each takes a tenth of the CPU of an item
LAST_WORDS_S = 1.0
FULL = {errno.ENOSPC, errno.EDQUOT}


class Display(Protocol):
    """How values are shown; used in the thread only."""

    @property
    def redraw_s(self) -> float | None:
        """Return after how many seconds it is redrawn although no value came; None for never."""
        ...

    def render(self, values: Sequence[object], *, last: bool) -> str:
        """Return what to write for these values; `last` is true for the last call."""
        ...


class PlainText:
    """Shows every value as its text."""

    redraw_s: float | None = None

    def render(self, values: Sequence[object], *, last: bool) -> str:  # noqa: ARG002 - as the protocol has it
        """Return the values one after the other."""
        return visible("".join(map(str, values)))


@dataclass(frozen=True, slots=True)
class _Next:
    """Ends one display and begins another, or with None the thread."""

    display: Display | None


class BackgroundStderr:
    """Takes text, and values whose `str` is text, for a thread to write to a duplicate of the descriptor `fd`."""

    def __init__(self, fd: int, *, encoding: str = "utf-8") -> None:
        self._fd = os.dup(fd)  # what is done to stderr later does not affect the thread
        self.encoding = encoding
        self._is_terminal = os.isatty(fd)
        self._queue: SimpleQueue[object] = SimpleQueue()  # appends even in a finaliser that interrupts an append
        self._dropped = self._reported = 0
        self._is_written = False
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="stderr", daemon=True)
        self._thread.start()

    def put(self, value: object) -> None:
        """Queue a value to be written, unless too many are waiting; never block."""
        if self._queue.qsize() < QUEUED:
            self._queue.put(value)
        else:
            self._dropped += _lines(value)

    def write(self, text: str, /) -> int:
        """Queue text to be written; never block."""
        self.put(text)
        return len(text)

    def flush(self) -> None:
        """Do nothing: the thread writes as soon as it can."""

    def isatty(self) -> bool:
        """Return whether stderr is a terminal."""
        return self._is_terminal

    def show(self, display: Display) -> None:
        """Use this display for what is put from now on."""
        self._queue.put(_Next(display))

    def end(self) -> bool:
        """Wait for at most a second until the rest is written; return whether it was."""
        self._ended.set()
        self._queue.put(_Next(None))
        self._thread.join(LAST_WORDS_S)
        return self._is_written

    def _run(self) -> None:
        signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())  # SIGTTOU stops writers in the background
        poll = select.poll()
        poll.register(self._fd, select.POLLOUT)
        display: Display | None = PlainText()
        with suppress(OSError):  # the reader is gone
            while display is not None:
                values, after = self._take(display)
                self._write(display.render(values, last=after is not display), poll)
                display = after
            self._is_written = True
        os.close(self._fd)

    def _take(self, display: Display) -> tuple[list[object], Display | None]:
        """Wait for a value, or the time to redraw; return all values for this display, and the display that follows."""
        values: list[object] = []
        after: Display | None = display
        with suppress(Empty):
            value = self._queue.get(timeout=display.redraw_s)
            self._ended.wait(display.redraw_s or GATHER_S)
            while not isinstance(value, _Next):
                values.append(value)
                value = self._queue.get_nowait()
            after = value.display
        if dropped := self._dropped - self._reported:
            self._reported += dropped
            values.append(f"pyanamo: {plural(dropped, 'line')} dropped: stderr did not take them\n")
        return values, after

    def _write(self, text: str, poll: select.poll) -> None:
        data = text.encode(self.encoding, errors="backslashreplace")
        while data:
            poll.poll()
            try:
                written = os.write(self._fd, data[:CHUNK_BYTES])
            except BlockingIOError:  # another process made it non-blocking, and has written since
                continue
            except OSError as error:
                if error.errno not in FULL:
                    raise
                self._dropped += data.count(b"\n")
                return
            data = data[written:]


@contextmanager
def background_stderr(display: Display | None = None) -> Iterator[BackgroundStderr]:
    """Write to stderr in the background until the block ends, or until the exit if stderr is blocked by then."""
    before = sys.stderr
    ours = BackgroundStderr(before.fileno(), encoding=before.encoding)
    sys.stderr = cast("TextIO", ours)
    if display is not None:
        ours.show(display)
    try:
        yield ours
    finally:
        if ours.end():  # otherwise a warning at exit would wait for a reader, or fail
            sys.stderr = before


def _lines(value: object) -> int:
    return value.count("\n") if isinstance(value, str) else 1

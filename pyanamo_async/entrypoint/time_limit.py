"""End a set-up that takes too long: a machine on which it hangs is paid for, and no item gets done there.

1. It ends with status 75, after which AWS Batch, or whoever started it, starts another: that may fare better.
2. Whatever hangs is interrupted as by a signal to stop, so it ends what it started. What cannot be interrupted, as a
   look-up of a name in a thread, gets `LAST_S` more.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from types import FrameType

from pyanamo_async.core.text.durations import show_duration

LAST_S = 10.0
VARIABLE = "PYANAMO_SETUP_TIMEOUT"


class TimeLimit:
    """The time limit of all steps together; `say` is told which one was under way when it was over."""

    def __init__(self, limit: timedelta, *, say: Callable[[str], None]) -> None:
        self._limit, self._say = limit, say
        self._step, self._is_over = "beginning", False

    def begin(self, step: str) -> None:
        """Learn what is done next, as `fetching s3://bucket/key`."""
        self._step = step

    @contextmanager
    def running(self) -> Iterator[None]:
        """Exit with 75 if what is inside has not ended in time."""
        signal.signal(signal.SIGALRM, self._over)
        signal.setitimer(signal.ITIMER_REAL, self._limit.total_seconds(), LAST_S)
        try:
            yield
        finally:
            if not self._is_over:
                signal.setitimer(signal.ITIMER_REAL, 0)  # it would outlive what replaces this program

    def _over(self, _: int, __: FrameType | None) -> None:
        if self._is_over:
            os._exit(os.EX_TEMPFAIL)
        self._is_over = True
        took = f"the set-up has not ended within {show_duration(self._limit)}: it was {self._step}"
        self._say(f"{took}. hint: {VARIABLE} gives it longer")
        sys.exit(os.EX_TEMPFAIL)

"""A process that kills the scripts of a worker that died without a word (SIGKILL, a crash), so that none runs on.

The guard is a shell of 1.7 MB in a session of its own. It waits for the end of a pipe whose only writer is the worker,
then finds every process by a mark in its environment and kills its process group. So it finds also those that left
the group of their script (`setsid`), and those that the worker was just starting. A script costs the guard nothing. In
a container the death of PID 1 ends everything anyway, and without Linux's /proc the guard finds nothing.

A worker with an abandoned start (`FastLoop.abandoned_starts`) leaves its guard waiting. The pipe then ends when the
worker has gone and the late process has called `exec`, because until then that holds a copy of the pipe. So the guard
looks for marked processes just when there is one to kill.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from contextlib import suppress

SHELL = "/bin/sh"
WATCH = r"""
mark=$1
trap '' TERM INT HUP QUIT
if read -r goodbye; then exit 0; fi
for pause in 0 1 2; do # a process that was just being started shows the mark a moment later
  sleep "$pause"
  for file in $(grep -lsF "$mark" /proc/[0-9]*/environ); do
    stat=$(cat "${file%environ}stat") || continue
    set -- ${stat##*) } # behind the name: state, parent, group
    kill -KILL "-$3"
  done
done
"""
GOODBYE = b"goodbye\n"  # the worker ends in order, and has ended its scripts


class Guard:
    """Watches over all processes with `mark` in their environment, which nobody else's holds; from the first `start`.

    `pid` is the guard's own process; -1 while there is none.
    """

    def __init__(self, mark: str) -> None:
        self._mark = mark
        self._pipe = self.pid = -1
        self._abandoned_starts: Callable[[], int] | None = None

    def start(self) -> None:
        """Start the guard unless it runs; raises `OSError` when it cannot be."""
        if self.pid > 0:
            return
        reading, self._pipe = os.pipe()
        try:
            self.pid = os.posix_spawn(
                SHELL,
                [SHELL, "-c", WATCH, "guard", self._mark],
                {"PATH": os.environ.get("PATH", os.defpath)},  # not the mark of a worker that runs this one as a script
                file_actions=[
                    (os.POSIX_SPAWN_DUP2, reading, 0),
                    (os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0),
                    (os.POSIX_SPAWN_DUP2, 1, 2),
                ],
                setsid=True,
                setsigmask=[],
                setsigdef=[signal.SIGPIPE],
            )
        finally:
            os.close(reading)

    def expect_late_starts(self, abandoned_starts: Callable[[], int]) -> None:
        """Have `close` leave the guard waiting if `abandoned_starts()` is not 0 by then."""
        self._abandoned_starts = abandoned_starts

    def close(self) -> None:
        """End the guard; harmless when repeated."""
        if self.pid < 0 or (self._abandoned_starts is not None and self._abandoned_starts()):
            return
        with suppress(BrokenPipeError):  # somebody killed it
            os.write(self._pipe, GOODBYE)
        os.close(self._pipe)
        os.waitpid(self.pid, 0)
        self.pid = -1

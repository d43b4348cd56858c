"""A process that kills the scripts of a worker that died without a word (SIGKILL, a crash), so that none runs on.

The guard is a shell of 1.7 MB in a session of its own. It waits for the end of a pipe whose only writer is the worker,
then kills the process groups listed in memory that both share. The worker writes there without a system call: a script
costs the guard nothing, nothing can block, and what the worker wrote survives it.

Scripts that are in no listed group are found by a mark in their environment: they left their group (`setsid`), or the
worker died while it started them. In a container the death of PID 1 ends everything anyway.

A worker with an abandoned start (see `spawn_thread`) leaves its guard waiting. The pipe then ends when the
worker has gone and the late process has called `exec`, because until then that holds a copy of the pipe. So the guard
looks for marked processes just when there is one to kill.
"""

from __future__ import annotations

import mmap
import os
import signal
import tempfile
from contextlib import suppress

from pyanamo_async.execution.spawn_thread import abandoned_starts

SHELL = "/bin/sh"
WATCH = r"""
trap '' TERM INT HUP QUIT
read -r goodbye
for group in $(cat <&3); do kill -KILL "-$group"; done
if [ "$goodbye" ] || [ ! "$1" ]; then exit 0; fi
for pause in 0 1 2; do # a process that was just being started shows the mark a moment later
  sleep "$pause"
  for file in $(grep -lsF "$1" /proc/[0-9]*/environ); do
    pid=${file#/proc/}
    kill -KILL "${pid%/environ}"
  done
done
"""
GOODBYE = b"goodbye\n"  # the worker ends in order, and has ended its scripts
SLOT_BYTES = 8  # a number of up to seven digits (Linux stops at 4,194,304) and a line end; aligned, so written whole
FREE = b" " * (SLOT_BYTES - 1) + b"\n"
SLOTS_PER_PAGE = mmap.PAGESIZE // SLOT_BYTES


class Guard:
    """Watches over process groups from when they start to when they have ended; runs from the first `start`.

    `mark` is what the environment of all their processes holds, and nobody else's.
    """

    def __init__(self, mark: str = "") -> None:
        self._mark = mark
        self._slots: dict[int, int] = {}
        self._free: list[int] = []
        self._memory: mmap.mmap
        self._memory_fd = self._pipe = self.pid = -1

    def start(self) -> None:
        """Start the guard unless it runs; raises `OSError` when it cannot be."""
        if self.pid < 0:
            self._spawn()

    def started(self, pgid: int) -> None:
        """Watch over a group from now on."""
        self.start()
        slot = self._slots[pgid] = self._free.pop() if self._free else self._grow()
        self._write(slot, b"%-7d\n" % pgid)

    def ended(self, pgid: int) -> None:
        """Forget a group: its number may soon be a stranger's. Harmless when it is unknown."""
        slot = self._slots.pop(pgid, None)
        if slot is not None:
            self._write(slot, FREE)
            self._free.append(slot)

    def close(self) -> None:
        """End the guard, and any group not yet forgotten, unless a start is abandoned; harmless when repeated."""
        if self.pid < 0 or abandoned_starts():
            return
        with suppress(BrokenPipeError):  # somebody killed it
            os.write(self._pipe, GOODBYE)
        os.close(self._pipe)
        os.waitpid(self.pid, 0)
        self._memory.close()
        os.close(self._memory_fd)
        self._slots.clear()
        self.pid = -1

    def _spawn(self) -> None:
        reading, self._pipe = os.pipe()
        self._memory_fd = _shared_memory()
        try:
            self._memory = mmap.mmap(self._memory_fd, 0)
            self.pid = os.posix_spawn(
                SHELL,
                [SHELL, "-c", WATCH, "guard", self._mark],
                {"PATH": os.environ.get("PATH", os.defpath)},  # not the mark of a worker that runs this one as a script
                file_actions=[
                    (os.POSIX_SPAWN_DUP2, reading, 0),
                    (os.POSIX_SPAWN_DUP2, self._memory_fd, 3),
                    (os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0),
                    (os.POSIX_SPAWN_DUP2, 1, 2),
                ],
                setsid=True,
                setsigmask=[],
                setsigdef=[signal.SIGPIPE],
            )
        finally:
            os.close(reading)
        self._free = list(range(SLOTS_PER_PAGE))

    def _grow(self) -> int:
        """Add a page of slots and take one of them."""
        used = len(self._memory) // SLOT_BYTES
        self._memory.resize(len(self._memory) + mmap.PAGESIZE)
        self._memory[used * SLOT_BYTES :] = FREE * SLOTS_PER_PAGE
        self._free = list(range(used + 1, used + SLOTS_PER_PAGE))
        return used

    def _write(self, slot: int, line: bytes) -> None:
        self._memory[slot * SLOT_BYTES : (slot + 1) * SLOT_BYTES] = line


def _shared_memory() -> int:
    """Open one page of memory as a file without a name, not inherited."""
    if hasattr(os, "memfd_create"):
        fd = os.memfd_create("pyanamo-guard", os.MFD_CLOEXEC)
    else:
        with tempfile.TemporaryFile(buffering=0) as file:
            fd = os.dup(file.fileno())
    os.pwrite(fd, FREE * SLOTS_PER_PAGE, 0)  # the offset is shared with the guard and stays at the beginning
    return fd

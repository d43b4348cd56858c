"""A process that ends the scripts of a worker that cannot do it itself.

That worker died without a word (SIGKILL, a crash), or it stands still for longer than its lease (SIGSTOP, a blocked
loop, swapping).

The guard is a shell of 1.7 MB in a session of its own. It waits for the end of a pipe whose only writer is the worker,
and looks every two seconds whether the lease has passed; then it kills the process groups listed in memory that both
share. The worker writes there without a system call: a script costs the guard nothing, nothing can block, and what the
worker wrote survives it.

1. Scripts that are in no listed group are found by a mark in their environment: they left their group (`setsid`), or
   the worker died while it started them. In a container the death of PID 1 ends everything anyway.
2. After the lease the guard kills again and again: a thread of a worker that stands still may yet start a script.
3. A group whose leader was reaped may be gone, and its number a stranger's: such a number is left alone when a process
   has it as its own id.
4. A guard that was killed is replaced before the next script and at the next heartbeat; it finds the list as it was.

A worker with an abandoned start (see `spawn_thread`) leaves its guard waiting. The pipe then ends when the
worker has gone and the late process has called `exec`, because until then that holds a copy of the pipe. So the guard
looks for marked processes just when there is one to kill.
"""

from __future__ import annotations

import math
import mmap
import os
import signal
import tempfile
import time
from contextlib import suppress
from pathlib import Path

from pyanamo_async.execution.spawn_thread import abandoned_starts

SHELL = "/bin/sh"
UPTIME = Path("/proc/uptime")
WATCH = r"""
trap '' TERM INT HUP QUIT TSTP
mark=$1 memory=/proc/self/fd/3
[ -e "$memory" ] || memory=/dev/fd/3

kill_groups() {
  for each in $({ read -r lease; cat; } <"$memory"); do
    group=$((0x${each%+}))
    case $each in *+) # its leader was reaped: a process with this number is not ours
      if [ -e "/proc/$group" ] || kill -0 "$group"; then continue; fi ;;
    esac
    kill -KILL "-$group"
  done
}
kill_marked() {
  for file in $(grep -lsF "$mark" /proc/[0-9]*/environ); do
    pid=${file#/proc/}
    kill -KILL "${pid%/environ}"
  done
}
lease_is_over() {
  read -r lease <"$memory"
  read -r now idle </proc/uptime
  [ "$lease" ] && [ "${now%.*}" -ge "$((0x$lease))" ]
}
watch_lease() {
  while sleep 2 && kill -0 $$; do # as long as the guard lives
    if lease_is_over && lease_is_over; then # twice: it may be written just as it is read
      kill_groups
      if [ "$mark" ]; then kill_marked; fi
    fi
  done
}

if [ -r /proc/uptime ]; then watch_lease <&- & fi
read -r goodbye
kill -KILL $!
kill_groups
if [ "$goodbye" ] || [ ! "$mark" ]; then exit 0; fi
for pause in 0 1 2; do # a process that was just being started shows the mark a moment later
  sleep "$pause"
  kill_marked
done
"""
GOODBYE = b"goodbye\n"  # the worker ends in order, and has ended its scripts
CLOSED_WITHIN_S = 2.0  # somebody may have stopped it
POLL_S = 0.005
SLOT_BYTES = 8  # six hexadecimal digits (Linux stops at 0x3fffff), a sign and a line end; aligned, so written whole
FREE = b" " * (SLOT_BYTES - 1) + b"\n"
LEASE_SLOT = 0  # when the lease passes, in whole seconds as /proc/uptime counts them
SLOTS_PER_PAGE = mmap.PAGESIZE // SLOT_BYTES


class Guard:
    """Watches over process groups from when they start to when they have ended; runs from the first `start`.

    `mark` is what the environment of all their processes holds, and nobody else's.
    """

    def __init__(self, mark: str = "") -> None:
        self._mark = mark
        self._slots: dict[int, int] = {}
        self._free: list[int] = []
        self._lease = FREE
        self._uptime_s = _uptime_s()
        self._memory: mmap.mmap
        self._memory_fd = self._pipe = self.pid = -1

    def start(self) -> None:
        """Start the guard unless it runs; raises `OSError` when it cannot be."""
        if self._memory_fd < 0:
            self._share_memory()
        if self.pid >= 0 and _has_ended(self.pid):
            os.close(self._pipe)
            self.pid = -1
        if self.pid < 0:
            self._spawn()

    def started(self, pgid: int) -> None:
        """Watch over a group from now on."""
        self.start()
        slot = self._slots[pgid] = self._free.pop() if self._free else self._grow()
        self._write(slot, b"%-7x\n" % pgid)

    def reaped(self, pgid: int) -> None:
        """Know that a group has lost its leader: what is left of it keeps the number, and nothing else does."""
        slot = self._slots.get(pgid)
        if slot is not None:
            self._write(slot, (b"%x+" % pgid).ljust(SLOT_BYTES - 1) + b"\n")

    def ended(self, pgid: int) -> None:
        """Forget a group: its number may soon be a stranger's. Harmless when it is unknown."""
        slot = self._slots.pop(pgid, None)
        if slot is not None:
            self._write(slot, FREE)
            self._free.append(slot)

    def lease_until(self, boottime_s: float) -> None:
        """Kill whatever runs at this time (of `CLOCK_BOOTTIME`), unless a later one is given before."""
        if self._uptime_s is None:
            return
        self._lease = b"%-7x\n" % math.ceil(boottime_s + self._uptime_s)
        if self.pid >= 0:
            with suppress(OSError):  # the next script, or heartbeat, tries again
                self.start()
            self._write(LEASE_SLOT, self._lease)

    def close(self) -> None:
        """End the guard, and any group not yet forgotten, unless a start is abandoned; harmless when repeated."""
        if self.pid < 0 or abandoned_starts():
            return
        with suppress(BrokenPipeError):  # somebody killed it
            os.write(self._pipe, GOODBYE)
        os.close(self._pipe)
        deadline = time.monotonic() + CLOSED_WITHIN_S
        while not _has_ended(self.pid) and time.monotonic() < deadline:
            time.sleep(POLL_S)
        self._memory.close()
        os.close(self._memory_fd)
        self._slots.clear()
        self.pid = self._memory_fd = -1

    def _share_memory(self) -> None:
        fd = _shared_memory()
        try:
            self._memory = mmap.mmap(fd, 0)
        except OSError:
            os.close(fd)
            raise
        self._memory_fd = fd
        self._write(LEASE_SLOT, self._lease)
        self._free = list(range(LEASE_SLOT + 1, SLOTS_PER_PAGE))

    def _spawn(self) -> None:
        reading, pipe = os.pipe()
        try:
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
        except OSError:
            os.close(pipe)
            raise
        finally:
            os.close(reading)
        self._pipe = pipe

    def _grow(self) -> int:
        """Add a page of slots and take one of them."""
        used = len(self._memory) // SLOT_BYTES
        self._memory.resize(len(self._memory) + mmap.PAGESIZE)
        self._memory[used * SLOT_BYTES :] = FREE * SLOTS_PER_PAGE
        self._free = list(range(used + 1, used + SLOTS_PER_PAGE))
        return used

    def _write(self, slot: int, line: bytes) -> None:
        self._memory[slot * SLOT_BYTES : (slot + 1) * SLOT_BYTES] = line


def _has_ended(pid: int) -> bool:
    try:
        return os.waitpid(pid, os.WNOHANG)[0] == pid
    except ChildProcessError:  # somebody else reaped it
        return True


def _uptime_s() -> float | None:
    """Return what to add to `CLOCK_BOOTTIME` for the time of /proc/uptime, which containers may have of their own.

    None where one of them is missing.
    """
    try:
        return float(UPTIME.read_text().split()[0]) - time.clock_gettime(time.CLOCK_BOOTTIME)
    except (OSError, AttributeError):
        return None


def _shared_memory() -> int:
    """Open one page of memory as a file without a name, not inherited."""
    if hasattr(os, "memfd_create"):
        fd = os.memfd_create("pyanamo-guard", os.MFD_CLOEXEC)
    else:
        with tempfile.TemporaryFile(buffering=0) as file:
            fd = os.dup(file.fileno())
    os.pwrite(fd, FREE * SLOTS_PER_PAGE, 0)
    return fd

"""A process that ends the scripts of a worker when the worker cannot do so itself.

Either the worker was killed (SIGKILL, a crash), or it has not run for longer than its lease (SIGSTOP, a blocked event
loop, swapping).

The guard is a shell of 1.7 MB in a session of its own. It waits for the end of a pipe whose only writer is the worker,
and checks every two seconds whether the lease has expired. In both cases it kills the process groups that are listed in
memory shared with the worker. The worker writes there without a system call: a script costs the guard nothing, the
worker cannot be blocked, and the list outlives the worker.

1. A process may be in no listed group: it left its group (`setsid`), or the worker died while starting it. Such
   processes are found by a mark in their environment. In a container they end with PID 1 anyway.
2. After the lease has expired, the guard kills every two seconds: a thread of a blocked worker may still start a
   script.
3. A group whose leader was reaped may be gone, and its number reused. It is left alone if a process has the number as
   its own id.
4. A guard that was killed is replaced before the next script and at the next heartbeat. The new one finds the same
   list.

If a start was abandoned (see `spawn_thread`), the worker ends without ending its guard. The process that is being
started keeps the pipe open until it calls `exec`. So the pipe ends, and the guard looks for marked processes, just when
there is one to kill.
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
GOODBYE = b"goodbye\n"  # the worker exits normally, and has ended its scripts
CLOSED_WITHIN_S = 2.0  # somebody may have stopped the guard
POLL_S = 0.005
SLOT_BYTES = 8  # six hexadecimal digits (Linux stops at 0x3fffff), a sign and a line end; aligned, so written whole
FREE = b" " * (SLOT_BYTES - 1) + b"\n"
LEASE_SLOT = 0  # when the lease expires, in whole seconds as /proc/uptime counts them
SLOTS_PER_PAGE = mmap.PAGESIZE // SLOT_BYTES


class Guard:
    """The guard of a worker, and the list of process groups that it shares with it; it runs from the first `start`.

    `mark` is a text that the environment of every process of a script contains, and of no other process.
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
        """Start the guard unless it runs; raises `OSError` when it cannot be started."""
        if self._memory_fd < 0:
            self._share_memory()
        if self.pid >= 0 and _has_ended(self.pid):
            os.close(self._pipe)
            self.pid = -1
        if self.pid < 0:
            self._spawn()

    def started(self, pgid: int) -> None:
        """Add a group to the list."""
        self.start()
        slot = self._slots[pgid] = self._free.pop() if self._free else self._grow()
        self._write(slot, b"%-7x\n" % pgid)

    def reaped(self, pgid: int) -> None:
        """Note that the leader of a group was reaped: a process with this number as its id is no longer ours."""
        slot = self._slots.get(pgid)
        if slot is not None:
            self._write(slot, (b"%x+" % pgid).ljust(SLOT_BYTES - 1) + b"\n")

    def ended(self, pgid: int) -> None:
        """Remove a group from the list, because its number may be reused; harmless if it is not there."""
        slot = self._slots.pop(pgid, None)
        if slot is not None:
            self._write(slot, FREE)
            self._free.append(slot)

    def lease_until(self, boottime_s: float) -> None:
        """Tell the guard when the lease expires, in seconds of `CLOCK_BOOTTIME`: it kills what still runs then."""
        if self._uptime_s is None:
            return
        self._lease = b"%-7x\n" % math.ceil(boottime_s + self._uptime_s)
        if self.pid >= 0:
            with suppress(OSError):  # the next script, or heartbeat, tries again
                self.start()
            self._write(LEASE_SLOT, self._lease)

    def close(self) -> None:
        """End the guard and every group in its list, unless a start was abandoned; harmless when repeated."""
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
                {"PATH": os.environ.get("PATH", os.defpath)},  # without the mark of an outer worker
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
    """Return what to add to `CLOCK_BOOTTIME` to get the time of /proc/uptime, which may differ in a container.

    None if this system lacks one of them.
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

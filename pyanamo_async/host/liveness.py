"""Find a worker's process again on its own machine: does it live, or did it die? And end what it started.

A mark names the boot, the namespace of process ids, the id, and the clock tick in which the process started. A
namespace's number may be given again, but only when everything in it has died. Without Linux's /proc nothing is ever
known, and heartbeats alone decide.

1. A worker has died only when nothing that it started is left either; a guard ends its scripts, but needs a moment.
2. A stopped process stands still: it is neither alive nor dead, and may go on at any time.
3. Threads look through /proc: the environment of a process cannot be read while the kernel holds up its memory. What
   is not known in time is unknown.
"""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from pyanamo_async.core.workers import ProcessStatus, Worker
from pyanamo_async.host.threads import Threads

WORKER_VARIABLE = "PYANAMO_WORKER"  # in the environment of every script that the worker started
PROC = Path("/proc")
KNOWN_WITHIN_S, GONE_WITHIN_S, POLL_S = 5.0, 5.0, 0.02
THREADS = Threads("processes", 4)
DEAD, STOPPED = "ZX", "Tt"  # states of proc(5): a zombie waits to be reaped, perhaps for ever


def own_mark() -> str:
    """Return the mark of this process; empty where a mark would say nothing."""
    pid = os.getpid()
    try:
        if (PROC / "self").readlink() != Path(str(pid)):  # /proc is of another namespace
            return ""
        boot = (PROC / "sys/kernel/random/boot_id").read_text().strip()
        namespace = (PROC / "self/ns/pid").readlink()
        _, started = _stat(pid)
    except OSError:
        return ""
    return f"{boot} {namespace} {pid} {started}"


class LocalProcesses:
    """The workers' processes, as this machine knows them; keeps the laws of `ports.Processes`."""

    async def status(self, worker: Worker) -> ProcessStatus:
        """Return what became of a worker's process."""
        if not _is_here(worker):
            return ProcessStatus.UNKNOWN
        with suppress(TimeoutError):
            async with asyncio.timeout(KNOWN_WITHIN_S):
                return await THREADS.run(process_status, worker)
        return ProcessStatus.UNKNOWN

    async def end_scripts(self, worker: Worker) -> bool:
        """Kill what a worker started, if it is one of this machine; return False when something of it may be left."""
        if not _is_here(worker):
            return True
        with suppress(TimeoutError):
            async with asyncio.timeout(KNOWN_WITHIN_S + GONE_WITHIN_S):
                return await THREADS.run(kill_scripts, worker.worker_id)
        return False


def process_status(worker: Worker) -> ProcessStatus:
    """Return what became of a worker's process; unknown when it is not one of this machine."""
    if not _is_here(worker):
        return ProcessStatus.UNKNOWN
    _, _, pid, started = worker.process.split()
    found = _status(int(pid), started)
    if found is ProcessStatus.DIED and any(_scripts(worker.worker_id)):
        return ProcessStatus.UNKNOWN
    return found


def kill_scripts(worker_id: str) -> bool:
    """Kill what a worker started on this machine; return whether all of it is gone."""
    deadline = time.monotonic() + GONE_WITHIN_S
    while found := list(_scripts(worker_id)):
        for pid in found:
            with suppress(OSError):
                os.kill(pid, signal.SIGKILL)
        if time.monotonic() > deadline:
            return False
        time.sleep(POLL_S)
    return True


def _is_here(worker: Worker) -> bool:
    here, there = own_mark().split(), worker.process.split()
    return bool(here) and len(there) == len(here) and here[:2] == there[:2]


def _status(pid: int, started: str) -> ProcessStatus:
    try:
        os.kill(pid, 0)  # /proc may hide the processes of others
    except ProcessLookupError:
        return ProcessStatus.DIED
    except PermissionError:
        pass
    try:
        state, since = _stat(pid)
    except OSError:
        return ProcessStatus.UNKNOWN
    if since != started or state in DEAD:
        return ProcessStatus.DIED
    return ProcessStatus.STANDS if state in STOPPED else ProcessStatus.LIVES


def _stat(pid: int) -> tuple[str, str]:
    """Read the state and start of a process; its name, in brackets, may hold anything."""
    fields = (PROC / str(pid) / "stat").read_text(errors="replace").rpartition(")")[2].split()
    return fields[0], fields[19]


def _scripts(worker_id: str) -> Iterator[int]:
    """Find the processes that a worker started, by the mark in their environment."""
    marked = f"{WORKER_VARIABLE}={worker_id}".encode()
    for environment in PROC.glob("[0-9]*/environ"):
        with suppress(OSError):  # it ended meanwhile, or is somebody else's
            if marked in environment.read_bytes().split(b"\0"):
                yield int(environment.parent.name)

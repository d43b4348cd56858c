"""Find a worker's process again on its own machine: does it live, or did it die?

A mark names the boot, the namespace of process ids, the id, and the clock tick in which the process started. A
namespace's number may be given again, but only when everything in it has died. Without Linux's /proc nothing is ever
known, and heartbeats alone decide.

1. A worker has died only when nothing that it started is left either; a guard ends its scripts, but needs a moment.
2. A stopped process is neither alive nor dead: it may go on at any time.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from pyanamo_async.core.workers import ProcessStatus, Worker

WORKER_VARIABLE = "PYANAMO_WORKER"  # in the environment of every script that the worker started
PROC = Path("/proc")
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


def process_status(worker: Worker) -> ProcessStatus:
    """Return what became of a worker's process; unknown when it is not one of this machine."""
    here, there = own_mark().split(), worker.process.split()
    if not here or here[:2] != there[:2]:
        return ProcessStatus.UNKNOWN
    found = _status(int(there[2]), there[3])
    return ProcessStatus.UNKNOWN if found is ProcessStatus.DIED and _has_scripts_left(worker.worker_id) else found


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
    return ProcessStatus.UNKNOWN if state in STOPPED else ProcessStatus.LIVES


def _stat(pid: int) -> tuple[str, str]:
    """Read the state and start of a process; its name, in brackets, may hold anything."""
    fields = (PROC / str(pid) / "stat").read_text(errors="replace").rpartition(")")[2].split()
    return fields[0], fields[19]


def _has_scripts_left(worker_id: str) -> bool:
    marked = f"{WORKER_VARIABLE}={worker_id}".encode()
    for environment in PROC.glob("[0-9]*/environ"):
        with suppress(OSError):  # it ended meanwhile, or is somebody else's
            if marked in environment.read_bytes().split(b"\0"):
                return True
    return False

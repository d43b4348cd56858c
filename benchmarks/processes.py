"""Measure a process as it is: nothing is wrapped around it, nothing runs inside it."""

from __future__ import annotations

import os
import select
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryFile

TICKS_A_SECOND = os.sysconf("SC_CLK_TCK")
KIB = 1024
LOOK_S = 0.1
UTIME, STIME = 11, 12  # of /proc/PID/stat, counted from behind the name (proc_pid_stat(5))


class Failed(Exception):
    """A contender did not do what it was asked, so that its time means nothing."""


@dataclass(frozen=True, slots=True)
class Usage:
    """What a process took, from its start to its exit."""

    seconds: float
    cpu_seconds: float
    """Its own user and system time; of its children only what went by before they became other programs."""
    peak_rss_bytes: int
    """Its own; looked up while it runs, so that the last moments may be missing, and 0 if it ran for none."""
    output: str


def measured(
    command: Sequence[str | Path],
    *,
    cwd: Path,
    env: Mapping[str, str],
    stdin: Path | None = None,
    within_s: float = 600,
) -> Usage:
    """Run a command to its end and tell what it took.

    Raises:
        Failed: it did not exit with 0, or not in time.
    """
    with TemporaryFile() as output, TemporaryFile() as said, (stdin or Path(os.devnull)).open("rb") as given:
        began = time.perf_counter()
        process = subprocess.Popen(command, cwd=cwd, env=env, stdin=given, stdout=output, stderr=said)
        peak_rss_bytes = _watch(process, within_s)
        seconds = time.perf_counter() - began
        cpu_seconds = own_cpu_seconds(process.pid)
        process.wait()
        output.seek(0)
        said.seek(0)
        printed = output.read().decode(errors="replace")
        if process.returncode:
            complaint = said.read().decode(errors="replace")[-2000:]
            raise Failed(f"{' '.join(map(str, command))} ended with {process.returncode}: {complaint or printed}")
    return Usage(seconds, cpu_seconds, peak_rss_bytes, printed)


def own_cpu_seconds(pid: int) -> float:
    """Tell the CPU time of a process without its children; it may have exited, but not have been waited for."""
    after_name = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(after_name[UTIME]) + int(after_name[STIME])) / TICKS_A_SECOND


def peak_rss_bytes_of(pid: int) -> int:
    """Tell how large a process has been, since it became the program it is; 0 when it has exited.

    `wait4` cannot tell: what it says begins with the memory of whoever started the process.
    """
    return _status_bytes(pid, "VmHWM")


def rss_bytes_of(pid: int) -> int:
    """Tell how large a process is; 0 when it has exited."""
    return _status_bytes(pid, "VmRSS")


def _status_bytes(pid: int, name: str) -> int:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next((int(line.split()[1]) * KIB for line in lines if line.startswith(f"{name}:")), 0)


def _watch(process: subprocess.Popen[bytes], within_s: float) -> int:
    """Wait until a process has exited, but leave it to be looked at; returns its peak RSS in bytes."""
    peak, deadline = 0, time.perf_counter() + within_s
    descriptor = os.pidfd_open(process.pid)
    try:
        while not select.select([descriptor], [], [], LOOK_S)[0]:
            peak = max(peak, peak_rss_bytes_of(process.pid))
            if time.perf_counter() > deadline:
                process.kill()
    finally:
        os.close(descriptor)
    return peak

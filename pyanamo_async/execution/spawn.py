"""What becomes of the arguments of `subprocess_exec`: a start laid ready for `posix_spawn`, or a `subprocess.Popen`.

The first where the arguments allow, at half the CPU and off the loop. The second still uses vfork unless there is a
`preexec_fn`. Both leave reaping to the caller.

Law: errors of exec are raised from both as from Popen (`FileNotFoundError`, ...), and leave no process.
"""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import IO, Any

from pyanamo_async.execution.group import signal_group, signal_leftovers
from pyanamo_async.execution.posix import Argument, Start

POSIX_SPAWN_OPTIONS = {"env", "executable", "start_new_session", "close_fds", "bufsize", "cwd"}
STANDARD_STREAMS = 3

Stream = int | IO[Any] | None


@dataclass(slots=True)
class Child:
    """A process to be reaped by `reap`; `popen` holds its pipes where there are any."""

    pid: int
    popen: subprocess.Popen[bytes] | None = None
    leads_group: bool = False
    is_reaped: bool = False

    def kill(self) -> None:
        """Kill it, with all of its group where it leads one: when it is reaped, with what is left of that."""
        if self.leads_group:
            (signal_leftovers if self.is_reaped else signal_group)(self.pid, signal.SIGKILL)
        elif not self.is_reaped:
            os.kill(self.pid, signal.SIGKILL)

    def reap(self) -> tuple[int, Any]:
        """Take its return code (negative: a signal) and rusage; call once, when it is known to have exited."""
        self.is_reaped = True
        _, status, usage = os.wait4(self.pid, 0)
        returncode = os.waitstatus_to_exitcode(status)
        if self.popen is not None:
            self.popen.returncode = returncode
        return returncode, usage


def laid_ready(args: Sequence[Argument], streams: Sequence[Stream], options: Mapping[str, Any]) -> Start | None:
    """Lay a process ready; None when something is asked that `posix_spawn` lacks.

    `streams` and `options` are what `subprocess.Popen` takes. Descriptors must not overlap those they replace.

    Raises:
        ValueError: an argument holds a NUL.
    """
    stdin, stdout, stderr = streams
    path = options.get("executable") or args[0]
    if not (
        stdin == subprocess.DEVNULL
        and isinstance(stdout, int)
        and isinstance(stderr, int)
        and stdout >= STANDARD_STREAMS
        and stderr >= STANDARD_STREAMS
        and options.get("close_fds") is False
        and options.get("cwd") is None
        and options.keys() <= POSIX_SPAWN_OPTIONS
        and os.sep in os.fsdecode(path)  # otherwise it is looked for in PATH
    ):
        return None
    env = options.get("env")
    return Start(
        args,
        path=path,
        stdout=stdout,
        stderr=stderr,
        env=os.environ if env is None else env,
        is_leader=bool(options.get("start_new_session")),
    )


def popened(args: Sequence[Argument], streams: Sequence[Stream], options: Mapping[str, Any]) -> Child:
    """Start a process as `subprocess.Popen` does, with its errors."""
    stdin, stdout, stderr = streams
    popen = subprocess.Popen(args, stdin=stdin, stdout=stdout, stderr=stderr, **options)
    return Child(popen.pid, popen, leads_group=bool(options.get("start_new_session")))

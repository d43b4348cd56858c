"""Start one process without copying the worker's page tables.

`os.posix_spawn` (vfork below) where the arguments allow, at half the CPU of `subprocess.Popen`; that where they do not,
which still uses vfork unless there is a `preexec_fn`. Both leave reaping to the caller.

Law: errors of exec are raised here, as from Popen (`FileNotFoundError`, `PermissionError`, ...), and leave no process.
"""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import IO, Any

POSIX_SPAWN_OPTIONS = {"env", "executable", "start_new_session", "close_fds", "bufsize", "cwd"}
RESTORED_SIGNALS = [signal.SIGPIPE, signal.SIGXFSZ]  # Python ignores them; scripts expect `yes | head` to end
STANDARD_STREAMS = 3
DEVNULL_AS_STDIN = (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0)

Argument = str | bytes
Stream = int | IO[Any] | None


@dataclass(slots=True)
class Child:
    """A process to be reaped by `reap`; `popen` holds its pipes where there are any."""

    pid: int
    popen: subprocess.Popen[bytes] | None = None

    def reap(self) -> tuple[int, Any]:
        """Take its return code (negative: a signal) and rusage; call once, when it is known to have exited."""
        _, status, usage = os.wait4(self.pid, 0)
        returncode = os.waitstatus_to_exitcode(status)
        if self.popen is not None:
            self.popen.returncode = returncode
        return returncode, usage


def spawn(args: Sequence[Argument], streams: Sequence[Stream], options: Mapping[str, Any]) -> Child:
    """Start a process; `streams` and `options` are what `subprocess.Popen` takes.

    Raises:
        OSError: it could not be started, for the reasons of fork, exec and chdir.
        ValueError: an argument holds a NUL.
    """
    if _suits_posix_spawn(args, streams, options):
        return Child(_posix_spawn(list(args), streams, options))
    stdin, stdout, stderr = streams
    popen = subprocess.Popen(args, stdin=stdin, stdout=stdout, stderr=stderr, **options)
    return Child(popen.pid, popen)


def _suits_posix_spawn(args: Sequence[Argument], streams: Sequence[Stream], options: Mapping[str, Any]) -> bool:
    """Tell whether nothing is asked that `posix_spawn` lacks; its descriptors must not overlap those they replace."""
    stdin, stdout, stderr = streams
    return (
        stdin == subprocess.DEVNULL
        and isinstance(stdout, int)
        and isinstance(stderr, int)
        and stdout >= STANDARD_STREAMS
        and stderr >= STANDARD_STREAMS
        and options.get("close_fds") is False
        and options.get("cwd") is None
        and options.keys() <= POSIX_SPAWN_OPTIONS
        and os.sep in os.fsdecode(options.get("executable") or args[0])  # otherwise it is looked for in PATH
    )


def _posix_spawn(args: list[Argument], streams: Sequence[Stream], options: Mapping[str, Any]) -> int:
    _, stdout, stderr = streams
    assert isinstance(stdout, int)  # noqa: S101 - `_suits_posix_spawn` saw to it
    assert isinstance(stderr, int)  # noqa: S101
    env = options.get("env")
    return os.posix_spawn(
        options.get("executable") or args[0],
        args,
        os.environ if env is None else env,
        file_actions=[
            DEVNULL_AS_STDIN,
            (os.POSIX_SPAWN_DUP2, stdout, 1),
            (os.POSIX_SPAWN_DUP2, stderr, 2),
        ],
        setsid=options.get("start_new_session", False),
        setsigdef=RESTORED_SIGNALS,
    )

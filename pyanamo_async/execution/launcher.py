"""Start scripts, each in a session and process group of its own, with an empty stdin and a pipe for each output.

1. Every script is started by `asyncio.create_subprocess_shell`.
2. A script that could not be started leaves no process and no descriptor, and the error names what was missing.
"""

from __future__ import annotations

import asyncio
import errno
import os
import shutil
import time
from pathlib import Path
from subprocess import DEVNULL

from pyanamo_async.core.shell_command import shell_command
from pyanamo_async.errors import LaunchFailed, LaunchRefused
from pyanamo_async.execution.guard import Guard
from pyanamo_async.execution.memory_sampler import MemorySampler
from pyanamo_async.execution.pipe import OutputPipe
from pyanamo_async.execution.process import ShellProcess
from pyanamo_async.host.shell import shell_words
from pyanamo_async.host.threads import LOOKUPS
from pyanamo_async.ports import Command, Receiver

HINTS = {
    errno.E2BIG: "one argument may have 128 KiB on Linux: put a longer script into a file and run that",
    errno.EAGAIN: "the limit of processes is reached (ulimit -u, or the container's): fewer items at a time",
    errno.ENOMEM: "memory is used up: fewer items at a time, or a larger machine",
    errno.EMFILE: "a running script takes three open files: raise ulimit -n, or fewer items at a time",
    errno.ENFILE: "the system's limit of open files is reached: fewer items at a time",
}


def find_shell() -> str:
    """Find bash, or else sh."""
    return shutil.which("bash") or shutil.which("sh") or "/bin/sh"


class ShellLauncher:
    """Starts scripts with a shell (bash, else sh, unless one is named); keeps the laws of `ports.Launcher`."""

    def __init__(
        self, shell: str | None = None, *, guard: Guard | None = None, memory: MemorySampler | None = None
    ) -> None:
        self._posix_shell = find_shell()
        self._shell = [self._posix_shell] if shell is None else shell_words(shell)
        if os.sep in self._shell[0]:
            self._shell[0] = str(Path(self._shell[0]).absolute())  # scripts start in other folders
        self._guard, self._memory = guard, memory

    async def start(self, command: Command, *, stdout: Receiver, stderr: Receiver) -> ShellProcess:
        """Start a script.

        Raises:
            LaunchRefused: this machine cannot start scripts for now.
            LaunchFailed: this script cannot be started at all.
        """
        if "\0" in command.script:
            raise LaunchFailed("the script holds a NUL byte", hint="no system can pass it to a shell")
        how = shell_command(command.script, self._shell)
        loop = asyncio.get_running_loop()
        pipes: list[OutputPipe] = []
        began_s = time.monotonic()
        try:
            pipes.extend(OutputPipe(receiver, loop) for receiver in (stdout, stderr))
            if self._guard:
                self._guard.start()  # before the script: none runs without a guard
            process = await asyncio.create_subprocess_shell(
                how.text.encode(errors="surrogateescape"),  # the bytes of the task file, whatever the locale
                executable=self._posix_shell if how.needs_posix_shell else self._shell[0],
                stdin=DEVNULL,
                stdout=pipes[0].write_end,
                stderr=pipes[1].write_end,
                env=dict(command.env),  # stock uvloop takes no other mapping
                cwd=command.folder,
                start_new_session=True,
                close_fds=False,  # Python's are not inherited, and looking for others costs more than the start
            )
        except BaseException as exc:
            for pipe in pipes:
                pipe.close()
            if isinstance(exc, OSError | ValueError):
                raise await self._failure(exc) from exc
            raise
        finally:
            for pipe in pipes:
                os.close(pipe.write_end)
        if self._guard:
            self._guard.started(process.pid)
        if self._memory:
            self._memory.started(process.pid, since_s=began_s)
        return ShellProcess(process, pipes, loop, guard=self._guard, memory=self._memory)

    async def _failure(self, exc: OSError | ValueError) -> LaunchFailed:
        if isinstance(exc, ValueError):
            return LaunchFailed(f"the script could not be started: {exc}")
        number = exc.errno or 0
        if number not in HINTS and await LOOKUPS.run(shutil.which, self._shell[0]) is None:
            return LaunchRefused(f"the shell {self._shell[0]} cannot be run", hint="`shell` names another")
        kind = LaunchFailed if number == errno.E2BIG else LaunchRefused
        return kind(f"the script could not be started: {os.strerror(number)}", hint=HINTS.get(number, ""))

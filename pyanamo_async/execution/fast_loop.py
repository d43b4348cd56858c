"""The fast loop: uvloop, except that scripts are started by `posix_spawn` in threads and watched by pidfd.

Stock uvloop forks. A fork copies the page tables of the worker: the larger it is, the longer its event loop is blocked.

1. A command that has the options of the launcher is started in this way, any other command by uvloop.
2. The exit of a script is noticed without a thread and without SIGCHLD. Signals go through the pidfd, so they never
   reach a later process with the same id.
3. The resource usage of a process is known before its exit is reported.
4. A process that cannot be watched, or whose start is cancelled, is killed with its group.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
from collections.abc import Callable
from resource import struct_rusage
from signal import SIGKILL, SIGTERM, pidfd_send_signal
from typing import Any, TypeVar

import uvloop

from pyanamo_async.execution.group import kill_child
from pyanamo_async.execution.posix_spawn import PreparedSpawn, Text, can_change_folder
from pyanamo_async.execution.spawn_thread import spawn_in_thread

SHELL = "/bin/sh"
UNKNOWN_RETURNCODE = 255  # what asyncio reports when somebody else reaped the process
SCRIPT = {"stdin": subprocess.DEVNULL, "close_fds": False, "start_new_session": True}

P = TypeVar("P", bound=asyncio.SubprocessProtocol)


class FastLoop(uvloop.Loop):
    """An event loop that starts scripts cheaply and records what resources they used."""

    def __init__(self) -> None:
        super().__init__()
        self._usages: dict[int, struct_rusage] = {}

    def usage(self, pid: int) -> struct_rusage | None:
        """Return what a script that has exited used; None when asked again, and for any other process."""
        return self._usages.pop(pid, None)

    async def subprocess_shell(  # type: ignore[override]  # uvloop's stub calls the transport a protocol
        self,
        protocol_factory: Callable[[], P],
        cmd: Text,
        **options: Any,  # noqa: ANN401 - Popen's
    ) -> tuple[asyncio.SubprocessTransport, P]:
        """Start a shell command, as documented for `asyncio.loop.subprocess_shell`."""
        if not _is_script(**options):
            return await super().subprocess_shell(protocol_factory, cmd, **options)  # type: ignore[return-value]
        shell, env = options.get("executable") or SHELL, options.get("env")
        prepared = PreparedSpawn(
            [shell, "-c", cmd], path=shell, env=os.environ if env is None else env, folder=options.get("cwd")
        )
        protocol = protocol_factory()
        pid = await spawn_in_thread(prepared, (options["stdout"], options["stderr"]))
        self._usages.pop(pid, None)  # of an earlier process with this id
        try:
            return PidfdTransport(self, protocol, pid, self._usages), protocol
        except OSError:
            kill_child(pid)
            raise


def _is_script(*, stdout: object = -1, stderr: object = -1, **options: Any) -> bool:  # noqa: ANN401 - Popen's
    """Return whether a command has the options that the launcher gives: a session of its own, and no stdin."""
    options.pop("env", None)
    return (
        (options.pop("cwd", None) is None or can_change_folder())
        and all(isinstance(output, int) and output >= 0 for output in (stdout, stderr))
        and os.sep in os.fsdecode(options.pop("executable", None) or SHELL)  # otherwise it is looked for in PATH
        and options == SCRIPT
    )


class PidfdTransport(asyncio.SubprocessTransport):
    """The transport of one child process, without pipes."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        protocol: asyncio.SubprocessProtocol,
        pid: int,
        usages: dict[int, struct_rusage],
    ) -> None:
        """Watch a child that nobody has reaped; raises `OSError` when no descriptor is left for that."""
        super().__init__()
        self._loop = loop
        self._protocol = protocol
        self._pid = pid
        self._usages = usages
        self._returncode: int | None = None
        self._waiters: list[asyncio.Future[None]] = []
        self._is_closing = False
        self._pidfd = os.pidfd_open(pid)
        loop.add_reader(self._pidfd, self._reap)
        protocol.connection_made(self)

    def get_pid(self) -> int:
        """Return the process id."""
        return self._pid

    def get_returncode(self) -> int | None:
        """Return the exit status, or minus the signal that ended it; None while it runs."""
        return self._returncode

    def get_pipe_transport(self, fd: int) -> asyncio.BaseTransport | None:  # noqa: ARG002
        """Return None: the loop has no pipes to the process."""
        return None

    def send_signal(self, signal: int) -> None:
        """Send a signal to the process itself; raises `ProcessLookupError` when it has exited."""
        if self._pidfd < 0:
            raise ProcessLookupError
        pidfd_send_signal(self._pidfd, signal)

    def terminate(self) -> None:
        """Send SIGTERM; errors as in `send_signal`."""
        self.send_signal(SIGTERM)

    def kill(self) -> None:
        """Send SIGKILL; errors as in `send_signal`."""
        self.send_signal(SIGKILL)

    def is_closing(self) -> bool:
        """Return whether `close` was called."""
        return self._is_closing

    def close(self) -> None:
        """Kill the process if it still runs; it is reaped afterwards."""
        if not self._is_closing and self._returncode is None:
            self.kill()
        self._is_closing = True

    async def _wait(self) -> int | None:
        """Wait for the exit. `asyncio.subprocess.Process.wait` calls this, so every transport must define it."""
        if self._returncode is None:
            waiter: asyncio.Future[None] = self._loop.create_future()  # a cancelled waiter does not cancel others
            self._waiters.append(waiter)
            await waiter
        return self._returncode

    def _reap(self) -> None:
        self._loop.remove_reader(self._pidfd)
        os.close(self._pidfd)
        self._pidfd = -1
        try:
            _, status, usage = os.wait4(self._pid, 0)
            self._returncode = os.waitstatus_to_exitcode(status)
            self._usages[self._pid] = usage
        except ChildProcessError:
            self._returncode = UNKNOWN_RETURNCODE
        for waiter in self._waiters:
            if not waiter.done():
                waiter.set_result(None)
        self._protocol.process_exited()
        self._protocol.connection_lost(None)

"""A subprocess transport that watches a pidfd and reaps with `wait4`.

What `asyncio.create_subprocess_shell` returns on the fast loop stands on it.

1. The exit is noticed without a thread and without SIGCHLD.
2. Signals go through the pidfd, so they never reach a stranger.
3. The resource usage of the process is handed on before anybody hears of its exit.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from resource import struct_rusage
from signal import SIGKILL, SIGTERM, pidfd_send_signal

UNKNOWN_RETURNCODE = 255  # what asyncio reports when somebody else reaped the process


class PidfdTransport(asyncio.SubprocessTransport):
    """One child process, without pipes."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        protocol: asyncio.SubprocessProtocol,
        pid: int,
        keep_usage: Callable[[int, struct_rusage], None],
    ) -> None:
        """Watch a child that nobody has reaped; raises `OSError` when no descriptor is left for that."""
        super().__init__()
        self._loop = loop
        self._protocol = protocol
        self._pid = pid
        self._keep_usage = keep_usage
        self._returncode: int | None = None
        self._exited = loop.create_future()
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
        """Return None: there are no pipes of the loop's."""
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
        """Kill the process if it still runs; it is reaped all the same."""
        if not self._is_closing and self._returncode is None:
            self.kill()
        self._is_closing = True

    async def _wait(self) -> int | None:
        """Wait for the exit. `asyncio.subprocess.Process.wait` calls this, so every transport must define it."""
        if self._returncode is None:
            await asyncio.shield(self._exited)  # one that stops waiting does not stop the others
        return self._returncode

    def _reap(self) -> None:
        self._loop.remove_reader(self._pidfd)
        os.close(self._pidfd)
        self._pidfd = -1
        try:
            _, status, usage = os.wait4(self._pid, 0)
            self._returncode = os.waitstatus_to_exitcode(status)
            self._keep_usage(self._pid, usage)
        except ChildProcessError:
            self._returncode = UNKNOWN_RETURNCODE
        self._exited.set_result(None)
        self._protocol.process_exited()
        self._protocol.connection_lost(None)

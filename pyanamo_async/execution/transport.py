"""A subprocess transport that watches a pidfd and reaps with `wait4`.

What `asyncio.create_subprocess_shell` returns on the fast loop stands on it. Laws: the exit is noticed without a
thread or SIGCHLD; signals go through the pidfd, so never to a stranger; after the exit `get_extra_info("usage")` is the
process's `resource.struct_rusage`; `wait` ends with the process, not with the last holder of its pipes.
"""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
from collections.abc import Callable
from typing import IO, Any, cast

from pyanamo_async.execution.spawn import Child

UNKNOWN_RETURNCODE = 255  # what asyncio says when somebody else reaped the process


class PidfdTransport(asyncio.SubprocessTransport):
    """One child process and its pipes."""

    def __init__(self, loop: asyncio.AbstractEventLoop, protocol: asyncio.SubprocessProtocol, child: Child) -> None:
        self._facts: dict[str, Any] = {"subprocess": child.popen}
        super().__init__(self._facts)
        self._loop = loop
        self._protocol: asyncio.BaseProtocol = protocol
        self._child = child
        self._returncode: int | None = None
        self._waiters: list[asyncio.Future[None]] = []
        self._pipes: dict[int, _PipeProtocol] = {}
        self._early: list[Callable[[], None]] | None = []
        self._closing = False
        self._lost = False
        self._pidfd = _watched(child)
        loop.add_reader(self._pidfd, self._exited)

    async def connect(self) -> None:
        """Connect the pipes, then the protocol; what arrives meanwhile is passed on afterwards."""
        if self._child.popen is not None:
            await self._connect_pipes(self._child.popen)
        self._subprocess_protocol.connection_made(self)
        early, self._early = self._early or [], None
        for call in early:
            call()

    # --- asyncio.SubprocessTransport

    def get_pid(self) -> int:
        """Tell the process id."""
        return self._child.pid

    def get_returncode(self) -> int | None:
        """Tell how it ended (negative: by which signal); None while it runs."""
        return self._returncode

    def get_pipe_transport(self, fd: int) -> asyncio.BaseTransport | None:
        """Return the transport of stdin (0), stdout (1) or stderr (2) where it is a pipe of the loop's."""
        pipe = self._pipes.get(fd)
        return pipe.transport if pipe else None

    def send_signal(self, signal: int) -> None:
        """Send a signal to the process itself.

        Raises:
            ProcessLookupError: it has exited.
        """
        _send(self._pidfd, signal)

    def terminate(self) -> None:
        """Send SIGTERM; errors as in `send_signal`."""
        _send(self._pidfd, signal.SIGTERM)

    def kill(self) -> None:
        """Send SIGKILL; errors as in `send_signal`."""
        _send(self._pidfd, signal.SIGKILL)

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        """Let another protocol hear what happens."""
        self._protocol = protocol

    def get_protocol(self) -> asyncio.BaseProtocol:
        """Return the protocol that hears what happens."""
        return self._protocol

    def is_closing(self) -> bool:
        """Tell whether `close` was called."""
        return self._closing

    def close(self) -> None:
        """Close the pipes and kill the process if it still runs; it is reaped all the same."""
        if self._closing:
            return
        self._closing = True
        for pipe in self._pipes.values():
            if pipe.transport is not None:
                pipe.transport.close()
        for file in self._files():
            file.close()  # those that were not connected
        if self._returncode is None:
            self.kill()

    async def _wait(self) -> int | None:
        """Wait for the exit: what `asyncio.subprocess.Process.wait` calls."""
        if self._returncode is None:
            waiter = self._loop.create_future()
            self._waiters.append(waiter)
            await waiter
        return self._returncode

    # --- what happens to it

    @property
    def _subprocess_protocol(self) -> asyncio.SubprocessProtocol:
        return cast("asyncio.SubprocessProtocol", self._protocol)

    def _exited(self) -> None:
        self._loop.remove_reader(self._pidfd)
        os.close(self._pidfd)
        self._pidfd = -1
        try:
            self._returncode, self._facts["usage"] = self._child.reap()
        except ChildProcessError:
            self._returncode = UNKNOWN_RETURNCODE
        for waiter in self._waiters:
            if not waiter.done():
                waiter.set_result(None)
        self._call(self._subprocess_protocol.process_exited)
        self._finish_when_over()

    def _call(self, call: Callable[[], None]) -> None:
        if self._early is None:
            call()
        else:
            self._early.append(call)

    def _finish_when_over(self) -> None:
        over = self._returncode is not None and all(pipe.is_lost for pipe in self._pipes.values())
        if over and not self._lost:
            self._lost = True
            self._call(lambda: self._subprocess_protocol.connection_lost(None))

    def _files(self) -> list[IO[bytes]]:
        popen = self._child.popen
        return [file for file in (popen.stdin, popen.stdout, popen.stderr) if file] if popen else []

    async def _connect_pipes(self, popen: subprocess.Popen[bytes]) -> None:
        for fd, file in enumerate((popen.stdin, popen.stdout, popen.stderr)):
            if file is not None:
                connect = self._loop.connect_read_pipe if fd else self._loop.connect_write_pipe
                pipe = _PipeProtocol(self, fd)
                self._pipes[fd] = pipe
                await connect(lambda pipe=pipe: pipe, _HandedOver(file))  # type: ignore[misc]

    def pipe_data_received(self, fd: int, data: bytes) -> None:
        """Pass on what the process printed."""
        self._call(lambda: self._subprocess_protocol.pipe_data_received(fd, data))

    def pipe_connection_lost(self, fd: int, exc: Exception | None) -> None:
        """Pass on that a pipe is closed."""
        self._call(lambda: self._subprocess_protocol.pipe_connection_lost(fd, exc))
        self._finish_when_over()


class _PipeProtocol(asyncio.Protocol):
    """Hands what happens on one pipe to its process's transport."""

    def __init__(self, process: PidfdTransport, fd: int) -> None:
        self.transport: asyncio.Transport | None = None
        self._process = process
        self._fd = fd
        self.is_lost = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        self._process.pipe_data_received(self._fd, data)

    def connection_lost(self, exc: Exception | None) -> None:
        self.is_lost = True
        self._process.pipe_connection_lost(self._fd, exc)

    def pause_writing(self) -> None:
        self._process.get_protocol().pause_writing()

    def resume_writing(self) -> None:
        self._process.get_protocol().resume_writing()


class _HandedOver:
    """A descriptor that libuv will close; a file object would be closed by uvloop too, perhaps as somebody else's."""

    def __init__(self, file: IO[bytes]) -> None:
        self._fd = os.dup(file.fileno())
        file.close()

    def fileno(self) -> int:
        return self._fd

    def close(self) -> None:
        """Leave it to libuv."""


def _watched(child: Child) -> int:
    """Open its pidfd; a child that cannot be watched (no descriptors left) is ended at once, with its group."""
    try:
        return os.pidfd_open(child.pid)
    except OSError:
        child.kill()
        child.reap()
        raise


def _send(pidfd: int, number: int) -> None:
    if pidfd < 0:
        raise ProcessLookupError
    signal.pidfd_send_signal(pidfd, number)

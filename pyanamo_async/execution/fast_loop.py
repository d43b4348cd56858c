"""The fast loop: uvloop whose processes start by vfork, in threads beside it, and are watched by pidfd.

Stock uvloop forks: it copies the page tables of a worker that grows, and the loop stands still meanwhile. Readers are
ours too, for they cost less. Everything else is uvloop as it is. The arguments, results and errors of what is ours are
asyncio's.

Law: who is cancelled while a process starts, or cannot watch it, leaves none behind, nor, where it was to lead a group,
any of that.
"""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

import uvloop

from pyanamo_async.execution.posix import Argument
from pyanamo_async.execution.readers import Readers, descriptor
from pyanamo_async.execution.spawn import Child, Stream, laid_ready, popened
from pyanamo_async.execution.starters import Starters
from pyanamo_async.execution.transport import PidfdTransport

if TYPE_CHECKING:
    from _typeshed import FileDescriptorLike

SHELL = "/bin/sh"
TEXT_OPTIONS = ("universal_newlines", "text", "encoding", "errors")

P = TypeVar("P", bound=asyncio.BaseProtocol)


class FastLoop(uvloop.Loop):
    """An event loop on which `asyncio.create_subprocess_shell` is cheap and tells what the process used."""

    raises_errors_of_exec = True

    def __init__(self) -> None:
        super().__init__()
        self._starters = Starters(self)
        self._readers = Readers(self)
        super().add_reader(self._readers, self._readers.read)

    def close(self) -> None:
        """Close the loop and let go of its threads."""
        self._starters.close()
        super().close()
        self._readers.close()

    def add_reader(self, fd: FileDescriptorLike, callback: Callable[..., object], *args: object) -> None:
        """Call back whenever a descriptor is readable."""
        self._readers.add(descriptor(fd), partial(callback, *args) if args else callback)

    def remove_reader(self, fd: FileDescriptorLike) -> bool:  # type: ignore[override]  # uvloop's stub forgets it
        """Watch a descriptor no longer; False when it was not watched."""
        return self._readers.remove(descriptor(fd))

    async def subprocess_shell(  # type: ignore[override]  # uvloop's stub calls the transport a protocol
        self,
        protocol_factory: Callable[[], P],
        cmd: str | bytes,
        *,
        stdin: Stream = subprocess.PIPE,
        stdout: Stream = subprocess.PIPE,
        stderr: Stream = subprocess.PIPE,
        **kwargs: object,
    ) -> tuple[PidfdTransport, P]:
        """Start a shell command; a proper `asyncio.SubprocessTransport` and its protocol come back."""
        if not isinstance(cmd, str | bytes):
            raise ValueError("cmd must be a string")  # noqa: TRY004 - asyncio's own choice
        if not kwargs.pop("shell", True):
            raise ValueError("shell must be True")
        options: dict[str, Any] = kwargs
        args = [options.get("executable") or SHELL, "-c", cmd]
        return await self._start(protocol_factory, args, (stdin, stdout, stderr), options)

    async def subprocess_exec(  # type: ignore[override]
        self,
        protocol_factory: Callable[[], P],
        *args: Argument,
        stdin: Stream = subprocess.PIPE,
        stdout: Stream = subprocess.PIPE,
        stderr: Stream = subprocess.PIPE,
        **kwargs: object,
    ) -> tuple[PidfdTransport, P]:
        """Start a program; a proper `asyncio.SubprocessTransport` and its protocol come back."""
        if kwargs.pop("shell", False):
            raise ValueError("shell must be False")
        return await self._start(protocol_factory, args, (stdin, stdout, stderr), kwargs)

    async def _start(
        self,
        protocol_factory: Callable[[], P],
        args: Sequence[Argument],
        streams: Sequence[Stream],
        options: dict[str, Any],
    ) -> tuple[PidfdTransport, P]:
        _refuse_text(options)
        protocol: Any = protocol_factory()
        start, cancelled = laid_ready(args, streams, options), None
        if start is None:
            child = popened(args, streams, options)
        else:
            pid, cancelled = await self._starters.start(start)
            child = Child(pid, leads_group=start.is_leader)
        try:
            transport = PidfdTransport(self, protocol, child)
        except OSError as error:
            raise cancelled or error from None
        try:
            await _connected(transport, cancelled)
        except BaseException:
            if child.leads_group:
                child.kill()
            transport.close()
            raise
        return transport, protocol


async def _connected(transport: PidfdTransport, cancelled: asyncio.CancelledError | None) -> None:
    if cancelled is not None:
        raise cancelled
    await transport.connect()


def _refuse_text(options: dict[str, Any]) -> None:
    """Take away options that mean text, as asyncio does: its pipes carry bytes, without a buffer."""
    asked = [name for name in TEXT_OPTIONS if options.pop(name, None)]
    if asked:
        raise ValueError(f"{asked[0]} must not be set: pipes carry bytes")
    if options.setdefault("bufsize", 0) != 0:
        raise ValueError("bufsize must be 0")

"""The fast loop: uvloop whose processes start by vfork and are watched by pidfd.

Stock uvloop forks: it copies the page tables of a worker that grows, and the loop stands still meanwhile. Everything
else is uvloop as it is. The arguments, results and errors of `subprocess_shell` and `subprocess_exec` are asyncio's.
"""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import uvloop

from pyanamo_async.execution.spawn import Argument, Stream, spawn
from pyanamo_async.execution.transport import PidfdTransport

SHELL = "/bin/sh"
TEXT_OPTIONS = ("universal_newlines", "text", "encoding", "errors")

P = TypeVar("P", bound=asyncio.BaseProtocol)


class FastLoop(uvloop.Loop):
    """An event loop on which `asyncio.create_subprocess_shell` is cheap and tells what the process used."""

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
        transport = PidfdTransport(self, protocol, spawn(args, streams, options))
        try:
            await transport.connect()
        except BaseException:
            transport.close()
            raise
        return transport, protocol


def _refuse_text(options: dict[str, Any]) -> None:
    """Take away options that mean text, as asyncio does: its pipes carry bytes, without a buffer."""
    asked = [name for name in TEXT_OPTIONS if options.pop(name, None)]
    if asked:
        raise ValueError(f"{asked[0]} must not be set: pipes carry bytes")
    if options.setdefault("bufsize", 0) != 0:
        raise ValueError("bufsize must be 0")

"""The fast loop: uvloop whose shell commands start by `posix_spawn`, in threads, and are watched by pidfd.

Stock uvloop forks: that copies the page tables of a worker that grows, and the loop stands still meanwhile.

1. A script as the launcher starts it is ours; a command with any other options is uvloop's own.
2. A command that could not be watched, or whose start was cancelled, leaves no process and nothing of its group.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
from collections.abc import Callable, Mapping
from resource import struct_rusage
from typing import IO, Any, TypeVar

import uvloop

from pyanamo_async.execution.group import kill_child
from pyanamo_async.execution.posix_spawn import PreparedSpawn, Text
from pyanamo_async.execution.spawn_pool import SpawnPool
from pyanamo_async.execution.transport import PidfdTransport

SHELL = "/bin/sh"
OPTIONS = {"env", "executable", "start_new_session", "close_fds"}

Stream = int | IO[Any] | None
P = TypeVar("P", bound=asyncio.SubprocessProtocol)


class FastLoop(uvloop.Loop):
    """An event loop on which scripts start cheaply, and which knows what they used."""

    def __init__(self) -> None:
        super().__init__()
        self._spawn_pool = SpawnPool(self)
        self._usages: dict[int, struct_rusage] = {}

    def close(self) -> None:
        """Close the loop and let its threads end."""
        self._spawn_pool.close()
        super().close()

    def usage(self, pid: int) -> struct_rusage | None:
        """Return what a shell command used that has exited, once; None for any other process, or asked again."""
        return self._usages.pop(pid, None)

    def abandoned_starts(self) -> int:
        """Count the cancelled starts that still hang; each is killed when it comes through while this process lives."""
        return self._spawn_pool.abandoned()

    async def subprocess_shell(  # type: ignore[override]  # uvloop's stub calls the transport a protocol
        self,
        protocol_factory: Callable[[], P],
        cmd: Text,
        *,
        stdin: Stream = subprocess.PIPE,
        stdout: Stream = subprocess.PIPE,
        stderr: Stream = subprocess.PIPE,
        **kwargs: object,
    ) -> tuple[asyncio.SubprocessTransport, P]:
        """Start a shell command, as documented for `asyncio.loop.subprocess_shell`."""
        options: dict[str, Any] = kwargs
        if not (isinstance(stdout, int) and isinstance(stderr, int) and _is_script((stdin, stdout, stderr), options)):
            return await super().subprocess_shell(  # type: ignore[return-value]
                protocol_factory, cmd, stdin=stdin, stdout=stdout, stderr=stderr, **options
            )
        shell, env = options.get("executable") or SHELL, options.get("env")
        prepared = PreparedSpawn(
            [shell, "-c", cmd],
            path=shell,
            outputs=(stdout, stderr),
            env=os.environ if env is None else env,
        )
        protocol = protocol_factory()
        pid = await self._spawn_pool.spawn(prepared)
        self._usages.pop(pid, None)  # of an earlier process with this id
        try:
            return PidfdTransport(self, protocol, pid, self._usages.__setitem__), protocol
        except OSError:
            kill_child(pid)
            raise


def _is_script(streams: tuple[Stream, int, int], options: Mapping[str, Any]) -> bool:
    """Return whether a command is started as the launcher does it, in a session of its own and without stdin."""
    stdin, *outputs = streams
    return (
        stdin == subprocess.DEVNULL
        and all(output >= 0 for output in outputs)
        and options.get("close_fds") is False
        and options.get("start_new_session") is True
        and options.keys() <= OPTIONS
        and os.sep in os.fsdecode(options.get("executable") or SHELL)  # otherwise it is looked for in PATH
    )

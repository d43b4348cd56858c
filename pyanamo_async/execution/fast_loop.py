"""The fast loop: uvloop whose shell commands start by `posix_spawn`, in threads, and are watched by pidfd.

Stock uvloop forks: that copies the page tables of a worker that grows, and the loop stands still meanwhile.

1. A script as the launcher starts it is ours; a command with any other options is uvloop's own.
2. A command that could not be watched, or whose start was cancelled, leaves no process and nothing of its group.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
from collections.abc import Callable
from resource import struct_rusage
from typing import Any, TypeVar

import uvloop

from pyanamo_async.execution.group import kill_child
from pyanamo_async.execution.posix_spawn import PreparedSpawn, Text
from pyanamo_async.execution.spawn_thread import spawn_in_thread
from pyanamo_async.execution.transport import PidfdTransport

SHELL = "/bin/sh"
SCRIPT = {"stdin": subprocess.DEVNULL, "close_fds": False, "start_new_session": True}

P = TypeVar("P", bound=asyncio.SubprocessProtocol)


class FastLoop(uvloop.Loop):
    """An event loop on which scripts start cheaply, and which knows what they used."""

    def __init__(self) -> None:
        super().__init__()
        self._usages: dict[int, struct_rusage] = {}

    def usage(self, pid: int) -> struct_rusage | None:
        """Return what a shell command used that has exited, once; None for any other process, or asked again."""
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
        prepared = PreparedSpawn([shell, "-c", cmd], path=shell, env=os.environ if env is None else env)
        protocol = protocol_factory()
        pid = await spawn_in_thread(prepared, (options["stdout"], options["stderr"]))
        self._usages.pop(pid, None)  # of an earlier process with this id
        try:
            return PidfdTransport(self, protocol, pid, self._usages.__setitem__), protocol
        except OSError:
            kill_child(pid)
            raise


def _is_script(*, stdout: object = -1, stderr: object = -1, **options: Any) -> bool:  # noqa: ANN401 - Popen's
    """Return whether a command is started as the launcher does it, in a session of its own and without stdin."""
    options.pop("env", None)
    return (
        all(isinstance(output, int) and output >= 0 for output in (stdout, stderr))
        and os.sep in os.fsdecode(options.pop("executable", None) or SHELL)  # otherwise it is looked for in PATH
        and options == SCRIPT
    )

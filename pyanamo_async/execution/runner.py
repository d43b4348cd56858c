"""Run a coroutine on the fast loop, or on plain asyncio if the fast loop cannot run; the log says once why not.

Plain asyncio starts processes more slowly, and does not know what resources they used.
"""

from __future__ import annotations

import asyncio
import logging
import os
import resource
import signal
import socket
from collections.abc import Callable, Coroutine
from functools import cache
from typing import Any, TypeVar

from pyanamo_async.core.text.system_errors import why
from pyanamo_async.host.threads import Threads

WORKER_FILES = 64  # connections, tables, standard streams
SCRIPT_FILES = 5  # two pipes, a pidfd, and two files where output is large
MAX_FILES = 65_536  # a script takes three; a higher limit slows programs that close every possible descriptor

NAMES = Threads("host names", 4)

T = TypeVar("T")
LoopFactory = Callable[[], asyncio.AbstractEventLoop]


class PlainLoop(asyncio.SelectorEventLoop):
    """Plain asyncio that looks up host names in threads of their own, so that no other blocking call delays them."""

    async def getaddrinfo(self, host: Any, port: Any, **options: int) -> Any:  # noqa: ANN401 - as the library has it
        """Look up a host, as documented for `asyncio.loop.getaddrinfo`."""
        return await NAMES.run(socket.getaddrinfo, host, port, **options)


def run(main: Coroutine[Any, Any, T], *, loop_factory: LoopFactory | None = None) -> T:
    """Run `main` to its end on a new event loop, with as many open files as the system grants (up to 65,536)."""
    allow_many_files()
    if signal.getsignal(signal.SIGCHLD) is signal.SIG_IGN:  # inherited: neither we nor scripts would notice exits
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    with asyncio.Runner(loop_factory=loop_factory or fastest_loop()) as runner:
        return runner.run(main)


@cache
def fastest_loop() -> LoopFactory:
    """Return the class of the fast loop, or of plain asyncio if the fast loop cannot run."""
    if missing := missing_for_fast():
        logging.getLogger(__name__).warning(
            "plain asyncio takes the place of the fast loop: %s; scripts start slower, usage is unknown", missing
        )
        return PlainLoop
    from pyanamo_async.execution.fast_loop import FastLoop

    return FastLoop


def missing_for_fast() -> str:
    """Return in words what the fast loop needs and this system lacks; empty if nothing."""
    try:
        os.close(os.pidfd_open(os.getpid()))
    except (AttributeError, OSError) as exc:  # not Linux, a kernel before 5.3, or a container's seccomp profile
        return f"there is no pidfd ({why(exc)})"
    return ""


def allow_many_files() -> None:
    """Raise the soft limit of open files as far as the hard one allows."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MAX_FILES if hard == resource.RLIM_INFINITY else min(hard, MAX_FILES)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def scripts_at_once() -> int:
    """Return how many scripts the limit of open files lets run at once, each with files for both of its outputs."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    files = MAX_FILES if soft == resource.RLIM_INFINITY else soft
    return max(1, (files - WORKER_FILES) // SCRIPT_FILES)

"""What the tests say about running a script: start it, take its output, and see what is left."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta

import psutil

from pyanamo_async.execution import ShellLauncher, ShellProcess
from pyanamo_async.ports import Command, Exit

LINGER = timedelta(seconds=0.3)

Children = Callable[[], list[psutil.Process]]  # since the test began


@dataclass
class Collector:
    """A receiver that keeps everything, and asks for a pause whenever it holds more than `limit` bytes."""

    limit: float = float("inf")
    data: bytearray = field(default_factory=bytearray)
    largest_chunk: int = 0
    arrived: asyncio.Event = field(default_factory=asyncio.Event)

    def feed(self, chunk: bytes) -> bool:
        self.arrived.set()
        self.data += chunk
        self.largest_chunk = max(self.largest_chunk, len(chunk))
        return len(self.data) <= self.limit


@dataclass(frozen=True)
class Ran:
    """What became of a script."""

    exit: Exit
    stdout: bytes
    stderr: bytes


def command(script: str, env: Mapping[str, str] = os.environ) -> Command:
    return Command(script, dict(env))


async def start(launcher: ShellLauncher, script: str, stdout: Collector | None = None) -> ShellProcess:
    return await launcher.start(command(script), stdout=stdout or Collector(), stderr=Collector())


async def run_script(launcher: ShellLauncher, what: str | Command, linger: timedelta = LINGER) -> Ran:
    """Run a script from its start to its finish."""
    stdout, stderr = Collector(), Collector()
    asked = command(what) if isinstance(what, str) else what
    process = await launcher.start(asked, stdout=stdout, stderr=stderr)
    ended = await process.wait()
    await process.finish(linger=linger)
    return Ran(ended, bytes(stdout.data), bytes(stderr.data))


def tells_usage() -> bool:
    """Tell whether this is the fast loop: it reaps by `wait4`, the others hide what a process used."""
    return type(asyncio.get_running_loop()).__name__ == "FastLoop"


def spawn_threads() -> int:
    """Count the threads that start processes for a fast loop."""
    return sum(thread.name == "spawn" for thread in threading.enumerate())


def living(pgid: int) -> list[psutil.Process]:
    """List the processes of a group that have not ended; a zombie waits for others than us."""
    found = []
    for process in psutil.process_iter():
        try:
            if os.getpgid(process.pid) == pgid and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
        except (ProcessLookupError, psutil.NoSuchProcess):
            continue
    return found


def is_running(pid: int) -> bool:
    """Tell whether a process has not ended."""
    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


async def until(true: Callable[[], bool]) -> None:
    """Wait for what only looking can tell: another process's doing."""
    async with asyncio.timeout(300):
        while not true():  # noqa: ASYNC110 - there is no event for it
            await asyncio.sleep(0.005)

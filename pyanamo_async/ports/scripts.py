"""Scripts: how one is started, watched and ended, and who receives its output."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Protocol

from pyanamo_async.core.memory.measure import Measure
from pyanamo_async.core.values import Value


class Command(Value):
    """A script to run, with its environment, in `folder`; None is the worker's own."""

    script: str
    env: Mapping[str, str]
    folder: str | None = None


class Exit(Value):
    """How a process ended (`code` or `signal`; the other is None) and what it used; None where that is unknown.

    `out_of_memory` tells that the kernel ended it, or a process of it, because memory ran out.
    `max_rss_bytes` is its peak memory, and `measure` what that is the peak of (`core.memory.measure`). Where that is
    unknown, `at_most_bytes` is what it did not exceed.
    """

    code: int | None
    signal: int | None
    max_rss_bytes: int | None = None
    cpu_seconds: float | None = None
    measure: Measure = Measure.PROCESS
    out_of_memory: bool = False
    at_most_bytes: int | None = None


class Receiver(Protocol):
    """Receives the output of a script while it runs."""

    def feed(self, chunk: bytes) -> bool:
        """Take a chunk without waiting; return False to pause reading until `Process.resume`."""
        ...


class Process(Protocol):
    """A running script, in a session and process group of its own."""

    @property
    def pid(self) -> int:
        """Return its process id, which is also the id of its group."""
        ...

    async def wait(self) -> Exit:
        """Wait until the script itself exits, even if descendants still hold its pipes.

        The receivers have been fed everything it printed before. Cancelling the wait leaves the process running; it may
        be waited for again.
        """
        ...

    def resume(self) -> None:
        """Continue reading after a receiver asked to pause."""
        ...

    def signal(self, number: int) -> None:
        """Send a signal to the whole group; harmless when the group is gone."""
        ...

    async def finish(self, *, linger: timedelta) -> None:
        """Clean up after the exit: read until descendants close the pipes or `linger` is over, then end them.

        A paused receiver gets the time it needs for output printed before the exit. Afterwards no process of the group
        and none of the script's descriptors in this process is left.
        """
        ...


class Launcher(Protocol):
    """Starts scripts."""

    async def start(self, command: Command, *, stdout: Receiver, stderr: Receiver) -> Process:
        """Start a script with an empty stdin, and feed its outputs to the receivers.

        Raises:
            LaunchRefused: this machine cannot start scripts for now.
            LaunchFailed: this script cannot be started on any machine.
        """
        ...

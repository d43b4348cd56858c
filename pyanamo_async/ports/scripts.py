"""Scripts: what runs one, and who takes what it prints."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Protocol

from pyanamo_async.core.values import Value


class Command(Value):
    """A script to run, with the environment and folder it runs in (None: the worker's own)."""

    script: str
    env: Mapping[str, str]
    cwd: str | None = None


class Exit(Value):
    """How a process ended (`code` or `signal`, one is None) and what it used; None where the platform cannot tell.

    `max_rss_bytes` is the peak of its largest process, as `wait4` has it: on Linux never less than the worker's own,
    because a child shares the worker's memory until its exec. It is a bound for small scripts and exact for large ones.
    """

    code: int | None
    signal: int | None
    max_rss_bytes: int | None = None
    cpu_seconds: float | None = None


class Receiver(Protocol):
    """Takes what a script prints, as it comes."""

    def feed(self, chunk: bytes) -> bool:
        """Take a chunk, at once; False asks the pipe to pause until `Process.resume`."""
        ...


class Process(Protocol):
    """A script that runs, in a session and process group of its own."""

    @property
    def pid(self) -> int:
        """Its process id, which is its group's too."""
        ...

    async def wait(self) -> Exit:
        """Wait for the script's own exit, whoever still holds its pipes; what it printed before has been fed by then.

        Cancelling the wait leaves the process alone; it may be waited for again.
        """
        ...

    def resume(self) -> None:
        """Go on reading after a receiver asked to pause."""
        ...

    def signal(self, number: int) -> None:
        """Send a signal to the whole group; harmless when it is gone."""
        ...

    async def finish(self, *, linger: timedelta) -> None:
        """After the exit: feed what descendants still print until they close the pipes or `linger` is over, end them.

        Waits as long as a paused receiver needs for what was printed before. Afterwards no process of the group and no
        descriptor of ours is left.
        """
        ...


class Launcher(Protocol):
    """Starts scripts."""

    async def start(self, command: Command, *, stdout: Receiver, stderr: Receiver) -> Process:
        """Start a script with stdin empty and both outputs read as they come.

        Raises:
            LaunchRefused: this machine cannot start scripts for now.
            LaunchFailed: this script cannot be started at all.
        """
        ...

"""A running script: its exit, its process group, its two outputs.

1. A script ends when its own process exits, not when its pipes end. By then its receivers have been fed what it printed
   before the exit, unless one of them is paused.
2. After `finish` no process of its group is left, and its descriptors are closed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from datetime import timedelta
from resource import RUSAGE_SELF, getrusage, struct_rusage
from signal import SIGKILL

from pyanamo_async.core.memory.measure import best_peak
from pyanamo_async.core.values import replace
from pyanamo_async.execution.group import kill_leftovers, signal_group, signal_leftovers
from pyanamo_async.execution.guard import Guard
from pyanamo_async.execution.memory_sampler import MemorySampler, TreeMemory
from pyanamo_async.execution.pipe import OutputPipe
from pyanamo_async.ports import Exit

KIB = 1024
KILLED_CHILD = 128 + SIGKILL  # the exit status of a shell whose last command was killed


class ShellProcess:
    """One script, started by `ShellLauncher`; keeps the laws of `ports.Process`."""

    __slots__ = ("_exit", "_guard", "_loop", "_memory", "_pipes", "_process", "pid")

    def __init__(
        self,
        process: asyncio.subprocess.Process,
        pipes: Sequence[OutputPipe],
        loop: asyncio.AbstractEventLoop,
        *,
        guard: Guard | None = None,
        memory: MemorySampler | None = None,
    ) -> None:
        self.pid = process.pid
        self._process = process
        self._pipes = pipes
        self._loop = loop
        self._guard, self._memory = guard, memory
        self._exit: Exit | None = None

    async def wait(self) -> Exit:
        """Wait for the script's own exit; receivers have been fed what it printed before, unless one is paused."""
        returncode = await self._process.wait()
        if self._exit is None:
            if self._guard:
                self._guard.reaped(self.pid)
            self._exit = self._ended(returncode)
            for pipe in self._pipes:
                pipe.drain()
        return self._exit

    def resume(self) -> None:
        """Go on reading after a receiver asked to pause."""
        for pipe in self._pipes:
            pipe.resume()

    def signal(self, number: int) -> None:
        """Send a signal to the whole group; harmless when the group is gone."""
        if self._process.returncode is None:
            signal_group(self.pid, number)
        else:
            signal_leftovers(self.pid, number)

    async def finish(self, *, linger: timedelta) -> None:
        """After the exit: feed what descendants print until the pipes end or `linger` is over, then kill them."""
        await self.wait()
        deadline = self._loop.time() + linger.total_seconds()
        try:
            for pipe in self._pipes:
                await pipe.drained()
            if any(pipe.is_open for pipe in self._pipes):  # which is rare
                with suppress(TimeoutError):
                    async with asyncio.timeout_at(deadline):
                        for pipe in self._pipes:
                            await pipe.ended()
        finally:
            for pipe in self._pipes:
                pipe.close()
            await kill_leftovers(self.pid)
            if self._guard:
                self._guard.ended(self.pid)

    def _ended(self, returncode: int) -> Exit:
        code, signal = (returncode, None) if returncode >= 0 else (None, -returncode)
        usage_of = getattr(self._loop, "usage", None)  # only the fast loop has it
        usage: struct_rusage | None = usage_of(self.pid) if usage_of else None
        seen, killed_for_memory = TreeMemory(), False
        if self._memory:
            seen = self._memory.ended(self.pid)
            killed_for_memory = (signal == SIGKILL or code == KILLED_CHILD) and self._memory.ran_out(
                since_s=seen.since_s
            )
        at_most_bytes = None if usage is None else usage.ru_maxrss * KIB
        peak = best_peak(
            seen.peak,
            at_most_bytes,
            file_bytes=seen.file_bytes,
            worker_bytes=getrusage(RUSAGE_SELF).ru_maxrss * KIB,
        )
        ended = Exit(
            code,
            signal,
            cpu_seconds=None if usage is None else round(usage.ru_utime + usage.ru_stime, 6),  # as the kernel counts
            out_of_memory=killed_for_memory,
        )
        if peak is None:
            return replace(ended, at_most_bytes=at_most_bytes)
        return replace(ended, max_rss_bytes=peak.size_bytes, measure=peak.measure)

"""A script that runs: its exit, its group, its two outputs.

Laws: the script's own exit ends it, not the end of its pipes; what it printed before has been fed by then, unless a
receiver is paused; after `finish` no process of its group and no descriptor of ours is left.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta

from pyanamo_async.execution.group import end_leftovers, signal_group, signal_leftovers
from pyanamo_async.execution.pipe import OutputPipe
from pyanamo_async.ports import Exit

LISTEN_AFTER_S = 0.01  # most short scripts are over by then, and their output is read at once without the loop's help
KIB = 1024


class ShellProcess:
    """One script, started by `ShellLauncher`; keeps the laws of `ports.Process`."""

    __slots__ = ("_exit", "_listening", "_loop", "_on_finish", "_pipes", "_process", "pid")

    def __init__(
        self,
        process: asyncio.subprocess.Process,
        pipes: tuple[OutputPipe, OutputPipe],
        loop: asyncio.AbstractEventLoop,
        on_finish: Callable[[int], None] | None = None,
    ) -> None:
        self.pid = process.pid
        self._process = process
        self._pipes = pipes
        self._loop = loop
        self._on_finish = on_finish
        self._exit: Exit | None = None
        self._listening = loop.call_later(LISTEN_AFTER_S, self._listen)

    async def wait(self) -> Exit:
        """Wait for the script's own exit; what it printed before has been fed by then, unless a receiver is paused."""
        returncode = await self._process.wait()
        if self._exit is None:
            self._exit = _exit(returncode, self._process)
            self._listening.cancel()
            for pipe in self._pipes:
                pipe.drain()
        return self._exit

    def resume(self) -> None:
        """Go on reading after a receiver asked to pause."""
        for pipe in self._pipes:
            pipe.resume()

    def signal(self, number: int) -> None:
        """Send a signal to the whole group; harmless when it is gone."""
        if self._process.returncode is None:
            signal_group(self.pid, number)
        else:
            signal_leftovers(self.pid, number)

    async def finish(self, *, linger: timedelta) -> None:
        """After the exit: feed what descendants still print until the pipes end or `linger` is over, then end them."""
        await self.wait()
        try:
            if any(pipe.is_open for pipe in self._pipes):
                await self._linger(linger.total_seconds())
        finally:
            for pipe in self._pipes:
                pipe.close()
            await end_leftovers(self.pid)
            if self._on_finish:
                self._on_finish(self.pid)

    async def _linger(self, seconds: float) -> None:
        deadline = self._loop.time() + seconds
        self._listen()
        for pipe in self._pipes:
            await pipe.paid()
        with suppress(TimeoutError):
            async with asyncio.timeout_at(deadline):
                for pipe in self._pipes:
                    await pipe.ended()

    def _listen(self) -> None:
        for pipe in self._pipes:
            pipe.listen()


def _exit(returncode: int, process: asyncio.subprocess.Process) -> Exit:
    code, signal = (returncode, None) if returncode >= 0 else (None, -returncode)
    usage = process._transport.get_extra_info("usage")  # type: ignore[attr-defined]  # noqa: SLF001 - the public class hides it
    if usage is None:
        return Exit(code, signal)
    cpu_seconds = round(usage.ru_utime + usage.ru_stime, 6)  # as exact as the kernel tells
    return Exit(code, signal, usage.ru_maxrss * KIB, cpu_seconds)

"""Processes that stop and continue on one event loop for many, and machines with clocks of their own.

A stopped process runs none of its callbacks. When it continues, its timers that were due fire, and it reads the answers
that arrived meanwhile. A process is a context: whatever starts within `SuspendableProcess.context` belongs to it.

A machine that is suspended (as a laptop or a paused virtual machine is) stops all its processes, and its monotonic
clock and timers stand still meanwhile, as Linux's do; only `boottime` counts on. Its time of day stays behind until
something sets it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextvars import Context, ContextVar
from datetime import datetime, timedelta
from typing import Any

from simulation.virtual_time import NOON, VirtualLoop

RESOLUTION_S = 1e-6

_OWNER: ContextVar[SuspendableProcess | None] = ContextVar("owner", default=None)


class Machine:
    """Its clocks: the time of day is wrong by `offset_s`."""

    def __init__(self, loop: VirtualLoop, offset_s: float = 0.0) -> None:
        self._loop, self.offset_s = loop, offset_s
        self.suspended_s = 0.0  # so far

    def set_clock(self, by_s: float) -> None:
        """Move the time of day."""
        self.offset_s += by_s

    def now(self) -> datetime:
        return NOON + timedelta(milliseconds=round((self._loop.time() + self.offset_s) * 1000))

    def monotonic(self) -> float:
        return self._loop.time() - self.suspended_s

    def boottime(self) -> float:
        return self._loop.time()


class SuspendableProcess:
    """What runs in `context`, and what it would have run while it was stopped."""

    def __init__(self, loop: SuspendableLoop, machine: Machine) -> None:
        self._loop, self.machine = loop, machine
        self._missed: list[asyncio.Handle] = []
        self.stopped = False
        self.excused_until_s = float("-inf")  # it may not have noticed yet that it stood still
        self.context = Context()
        self.context.run(_OWNER.set, self)

    def stop(self) -> None:
        """Let nothing of it run."""
        self.stopped = True

    def resume(self) -> None:
        """Let it run again, beginning with what it missed."""
        self.stopped = False
        missed, self._missed = self._missed, []
        for handle in missed:
            self._loop.call_soon(_run, handle)

    def miss(self, handle: asyncio.Handle) -> None:
        """Keep a callback for later."""
        self._missed.append(handle)


class SuspendableLoop(VirtualLoop):
    """Virtual time for processes that can be stopped."""

    def call_soon(  # type: ignore[override] # the stubs' TypeVarTuple says no more than this
        self,
        callback: Callable[..., object],
        *args: Any,  # noqa: ANN401 # as asyncio has it
        context: Context | None = None,
    ) -> asyncio.Handle:
        owner = _OWNER.get() if context is None else context.get(_OWNER)
        if owner is None or not owner.stopped:
            return super().call_soon(callback, *args, context=context)
        handle = asyncio.Handle(callback, args, self, context)
        owner.miss(handle)
        return handle

    def call_at(  # type: ignore[override] # as above
        self,
        when: float,
        callback: Callable[..., object],
        *args: Any,  # noqa: ANN401 # as asyncio has it
        context: Context | None = None,
    ) -> asyncio.TimerHandle:
        owner = _OWNER.get() if context is None else context.get(_OWNER)
        if owner is None:
            return super().call_at(when, callback, *args, context=context)
        set_s = owner.machine.suspended_s

        def fire() -> None:
            left_s = when + owner.machine.suspended_s - set_s - self.time()
            if owner.stopped:
                owner.miss(handle)  # it may yet be cancelled
            elif left_s > RESOLUTION_S:
                self.call_later(left_s, _run, handle)
            else:
                callback(*args)

        handle = super().call_at(when, fire, context=context)
        return handle


def _run(handle: asyncio.Handle) -> None:
    if not handle.cancelled():
        handle._run()

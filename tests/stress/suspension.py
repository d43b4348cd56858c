"""Processes that can be stopped and go on, as SIGSTOP and SIGCONT have it, on one event loop for many.

A stopped process runs none of its callbacks: its timers fire late, all at once, when it goes on, and answers that came
meanwhile are read then. A process is a context: whatever is started within `Process.context` belongs to it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextvars import Context, ContextVar
from typing import Any

from tests.worker.virtual import VirtualLoop

_OWNER: ContextVar[SuspendableProcess | None] = ContextVar("owner", default=None)


class SuspendableProcess:
    """Whoever was started in `context`, and what it would have done while it was stopped."""

    def __init__(self, loop: SuspendableLoop) -> None:
        self._loop = loop
        self._missed: list[asyncio.Handle] = []
        self.stopped = False
        self.context = Context()
        self.context.run(_OWNER.set, self)

    def stop(self) -> None:
        """Let nothing of it run."""
        self.stopped = True

    def go_on(self) -> None:
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

        def fire() -> None:
            if owner.stopped:
                owner.miss(handle)  # it may yet be cancelled
            else:
                callback(*args)

        handle = super().call_at(when, fire, context=context)
        return handle


def _run(handle: asyncio.Handle) -> None:
    if not handle.cancelled():
        handle._run()

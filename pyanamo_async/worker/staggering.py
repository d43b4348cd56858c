"""Spread the first claims of workers that start at the same time: otherwise thousands ask the table at once."""

from __future__ import annotations

from pyanamo_async.host.waiting import elapsed
from pyanamo_async.ports import Runtime
from pyanamo_async.worker.context import Plan
from pyanamo_async.worker.stop import Stop


async def stagger(plan: Plan, runtime: Runtime, stop: Stop) -> None:
    """Wait a random part of the plan's `stagger`, or until told to stop."""
    if plan.stagger:
        seconds = plan.stagger.total_seconds() * runtime.rng.random()
        runtime.event_log.note("waiting before the first claim", seconds=round(seconds, 1))
        await elapsed(stop.drain, seconds)

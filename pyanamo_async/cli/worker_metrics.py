"""Tell monitoring what a worker does, now and then and at its end: `run --prometheus FILE` and `run --emf`.

Lines for CloudWatch go to stderr, between those of the log: a worker's stderr is written by a thread and never waits
for whoever reads it, and the log driver of a container takes both streams.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from pyanamo_async import EventLog, PyanamoError, WorkerMetrics
from pyanamo_async.cli.console import note
from pyanamo_async.cli.flags import name_flags

EVERY_S = 60.0  # as often as CloudWatch keeps metrics of normal resolution, and Prometheus usually scrapes


@asynccontextmanager
async def told_metrics(
    log: EventLog,
    table: str,
    *,
    emf: Callable[[str], None] | None,
    prometheus: Path | None,
    every_s: float = EVERY_S,
) -> AsyncIterator[EventLog]:
    """Yield an event log that counts; tell what it counted every minute and at the end, if anybody is to hear it."""
    if emf is None and prometheus is None:
        yield log
        return
    metrics = WorkerMetrics(log, table)
    telling = asyncio.create_task(_tell_on(metrics, emf, prometheus, every_s), name="metrics")
    try:
        yield metrics
    finally:
        telling.cancel()
        await asyncio.wait([telling])
        await _tell(metrics, emf, prometheus)


async def _tell_on(
    metrics: WorkerMetrics, emf: Callable[[str], None] | None, prometheus: Path | None, every_s: float
) -> None:
    while True:
        await asyncio.sleep(every_s)
        await _tell(metrics, emf, prometheus)


async def _tell(metrics: WorkerMetrics, emf: Callable[[str], None] | None, prometheus: Path | None) -> None:
    if emf is not None:
        emf(f"{metrics.emf()}\n")
    if prometheus is not None:
        try:
            await asyncio.to_thread(metrics.write, prometheus)
        except PyanamoError as error:  # monitoring that is ill ends no worker
            note(f"pyanamo: {name_flags(str(error))}")

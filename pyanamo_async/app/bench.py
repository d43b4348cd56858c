"""Put a bench together: a table of its own, real connections, and a worker on the same event loop."""

from __future__ import annotations

import secrets
import socket
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta

from pyanamo_async.app.locations import beside
from pyanamo_async.app.resources import Resources
from pyanamo_async.app.running import run_worker
from pyanamo_async.app.settings import WorkerSettings
from pyanamo_async.core.workers import Worker
from pyanamo_async.errors import PyanamoError, TableMissing
from pyanamo_async.host.clock import SystemClock
from pyanamo_async.host.liveness import own_mark, process_status
from pyanamo_async.operate.bench import Bench
from pyanamo_async.operate.bench_table import MARK, SUFFIX, BenchTable
from pyanamo_async.operate.measurements import BenchReport
from pyanamo_async.operate.tables import DEFAULT_SHARDS
from pyanamo_async.outputs.memory import MemoryOutputs
from pyanamo_async.ports import Description, EventLog, OutputStore

LEASE = timedelta(hours=1)  # after which a bench that was killed on another machine counts as dead


@dataclass(frozen=True, slots=True)
class BenchPlan:
    """With how many items to measure, how many at once, and how long a stream of output to store."""

    items: int
    concurrency: int
    stream_bytes: int


async def run_bench(resources: Resources, plan: BenchPlan, note: Callable[[str], None]) -> BenchReport:
    """Measure on a table like the one of `resources`, and remove it."""
    settings = resources.settings
    like = await _describe(resources, note)
    shards, indexes = (like.shards, like.extra_indexes) if like else (DEFAULT_SHARDS, ())
    its_settings = replace(settings, table=beside(settings.table, SUFFIX), running=WorkerSettings(plan.concurrency))
    async with Resources(its_settings, metered=True) as opened:
        store, outputs = await opened.store(urgent=True), await _usable_outputs(opened, note)
        me, clock = _worker_row(), SystemClock()
        table = BenchTable(str(its_settings.table), store, outputs, me, clock, process_status, note)

        async def work(event_log: EventLog) -> int:
            result = await run_worker(opened, event_log=event_log, outputs=outputs or MemoryOutputs())
            return result.exit_status

        async with table.created(shards=shards, indexes=indexes) as output_namespace:
            bench = Bench(
                store=store,
                outputs=outputs,
                output_namespace=output_namespace,
                me=me,
                clock=clock,
                meter=opened.units,
                work=work,
                note=note,
                items=plan.items,
                concurrency=plan.concurrency,
                stream_bytes=plan.stream_bytes,
            )
            measurements = await bench.measure()
    return BenchReport(str(settings.table), str(settings.output) if settings.output else None, measurements)


async def _describe(resources: Resources, note: Callable[[str], None]) -> Description | None:
    table = resources.settings.table
    try:
        like = await (await resources.store()).describe()
    except TableMissing:
        note(f"there is no table {table} yet: measuring one with default settings")
        return None
    if like.billing == "provisioned":
        note(f"table {table} has provisioned capacity: measuring a table on demand")
    return like


async def _usable_outputs(opened: Resources, note: Callable[[str], None]) -> OutputStore | None:
    try:
        outputs = await opened.outputs()
        await outputs.check()
    except PyanamoError as error:
        note(f"output is not measured: {error}")
        return None
    return outputs


def _worker_row() -> Worker:
    now, host = SystemClock().now(), socket.gethostname()
    return Worker(f"{host}-{secrets.token_hex(4)}", host, now, now, LEASE, job=MARK, process=own_mark())

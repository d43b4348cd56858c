"""Measure a table, its output and this machine, on a table of its own beside the one that people use.

1. A table that is not a bench's is never removed: it has other items, or none.
2. However a bench ends, it removes its table and output; what a killed one leaves behind, the next removes.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from time import monotonic

from pyanamo_async.app.locations import beside
from pyanamo_async.app.resources import Resources
from pyanamo_async.app.running import run_worker
from pyanamo_async.app.settings import WorkerSettings
from pyanamo_async.core.items import SINGLE_TASK, Item, Task
from pyanamo_async.errors import StoreError, TableMissing, UsageError
from pyanamo_async.fleet.membership import list_workers, living
from pyanamo_async.host.liveness import LocalProcesses
from pyanamo_async.operate.importing import add_all
from pyanamo_async.operate.logs import STDOUT
from pyanamo_async.operate.tables import DEFAULT_SHARDS
from pyanamo_async.outputs.memory import MemoryOutputs
from pyanamo_async.ports import Creation, OutputKey, OutputStore, Store, Units

SUFFIX = "-bench"  # behind the name of the table it stands beside
MARK = "pyanamo bench"  # the sample of all its items
WRITE_USD, READ_USD = 0.625, 0.125  # a million request units: https://aws.amazon.com/dynamodb/pricing/on-demand/
CHUNK_BYTES = 64 * 1024  # what a pipe gives at once
LINE_BYTES = 64


@dataclass(frozen=True, slots=True)
class BenchReport:
    """What a bench measured: items and bytes per second, and units of an item with its share of all the worker does.

    `units_per_item` is None where there is no charge, or some replies did not name theirs; `output_bytes_per_second` is
    None without a bucket.
    """

    imported_per_second: float
    run_per_second: float
    units_per_item: Units | None
    output_bytes_per_second: float | None

    @property
    def usd_per_million_items(self) -> float | None:
        """What a million items cost at the list price of us-east-1, on demand; None as for the units."""
        units = self.units_per_item
        return None if units is None else units.write * WRITE_USD + units.read * READ_USD


class _ItemTimes:
    """An event log that keeps when items were claimed and settled."""

    def __init__(self) -> None:
        self._times_s: list[float] = []

    def note(self, event: str, /, **_: object) -> None:
        if event in {"item claimed", "item settled"}:
            self._times_s.append(monotonic())

    def seconds(self) -> float:
        return self._times_s[-1] - self._times_s[0]


async def run_bench(resources: Resources, *, items: int, concurrency: int, stream_bytes: int) -> BenchReport:
    """Measure on a table like the one of `resources`, and remove it."""
    settings = resources.settings
    try:
        like = await (await resources.store()).describe()
        shards, indexes = like.shards, like.extra_indexes
    except TableMissing:
        shards, indexes = DEFAULT_SHARDS, ()
    its_settings = replace(settings, table=beside(settings.table, SUFFIX), running=WorkerSettings(concurrency))
    async with Resources(its_settings, metered=True) as opened:
        store = await opened.store(urgent=True)
        outputs = await opened.outputs() if settings.output else MemoryOutputs()
        creating = asyncio.create_task(_create(store, outputs, str(its_settings.table), shards, indexes))
        try:
            await asyncio.shield(creating)
            imported_s = await _import(store, items)
            run_s = await _run(opened, outputs, items)
            units = opened.units()
            stored_s = await _store(outputs, await _output_key(store), stream_bytes)
        finally:
            await creating  # a table that is half created cannot be removed
            await _remove(store, outputs)
    known = None if units is None or units.unreported else Units(units.write / items, units.read / items)
    return BenchReport(items / imported_s, items / run_s, known, stream_bytes / stored_s if settings.output else None)


async def _create(
    store: Store, outputs: OutputStore, name: str, shards: int, indexes: Sequence[Mapping[str, object]]
) -> None:
    if await store.create(shards=shards, indexes=indexes) is Creation.CREATED:
        return
    if {each.sample async for each in store.summaries()} != {MARK}:
        raise UsageError(
            f"there is a table {name} already, and no bench created it",
            hint=f"bench needs that name for a while; `pyanamo table delete -t {name}` removes it if nobody needs it",
        )
    if living(await list_workers(store, now=datetime.now(UTC), processes=LocalProcesses())):
        raise UsageError(f"another bench is running on table {name}", hint="wait for it")
    await _remove(store, outputs)
    await store.create(shards=shards, indexes=indexes)


async def _output_key(store: Store) -> OutputKey:
    """Return the key of the only output that a bench stores."""
    return OutputKey((await store.describe()).output_namespace, "bench", SINGLE_TASK, 1, STDOUT)


async def _remove(store: Store, outputs: OutputStore) -> None:
    key = await _output_key(store)
    async for each in outputs.unfinished(key.table):
        if each.location == outputs.location(key):
            await outputs.discard(each)
    await outputs.remove(outputs.location(key))
    await store.drop()


async def _import(store: Store, items: int) -> float:
    began_s = monotonic()
    await add_all(store.add, (Item(f"{number:06}", MARK, (Task(SINGLE_TASK, "true"),)) for number in range(items)))
    return monotonic() - began_s


async def _run(opened: Resources, outputs: OutputStore, items: int) -> float:
    """Run a worker, and return the time from its first claim to its last settle."""
    times = _ItemTimes()
    result = await run_worker(opened, event_log=times, outputs=outputs)
    if result.done != items:
        raise StoreError(f"the worker ran {result.done} of {items} items", hint="`pyanamo run` shows what goes wrong")
    return times.seconds()


async def _store(outputs: OutputStore, key: OutputKey, size_bytes: int) -> float:
    """Store lines that compress to half their size, like logs full of numbers."""
    chunk = random.Random(0).randbytes(CHUNK_BYTES // 2).hex("\n", -LINE_BYTES // 2).encode()  # noqa: S311 - no secret
    began_s = monotonic()
    sink = outputs.open(key)
    try:
        for start in range(0, size_bytes, len(chunk)):
            await sink.write(chunk[: size_bytes - start])
        await sink.close()
    finally:
        await sink.abort()
    return monotonic() - began_s

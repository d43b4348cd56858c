"""A table for a while, beside the one that people work on: no worker of theirs looks into it, and it ends with its use.

Laws: what was not made here is never removed. Whatever ends the use, table and output are removed, and a second wish to
end is obeyed. Of a use that was killed the next one, or the doctor, finds the table by its name, knows it by its mark,
and removes it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime

from pyanamo_async.core.workers import Worker
from pyanamo_async.errors import UsageError
from pyanamo_async.fleet.membership import ProcessProbe, WorkerCondition, condition
from pyanamo_async.operate.logs import STDOUT
from pyanamo_async.ports import Clock, OutputKey, OutputStore, Store

SUFFIX = "-bench"  # of its name, behind that of the table it stands beside
MARK = "pyanamo bench"  # the sample of all items, and the job of the worker row
OUTPUTS = 21


def output_keys(output_namespace: str) -> list[OutputKey]:
    """List the only outputs that a use may store."""
    return [OutputKey(output_namespace, "bench", f"Task_{number}", 1, STDOUT) for number in range(OUTPUTS)]


async def killed(store: Store, *, now: datetime, process_status: ProcessProbe) -> Worker | None:
    """Find the last sign of life of a killed use that made the table; None when it is at work, or none made it."""
    marks = await _marks(store)
    if not marks or _at_work(marks, now, process_status) or await _is_used(store):
        return None
    return max(marks, key=lambda worker: worker.heartbeat)


async def clear(store: Store, outputs: OutputStore | None) -> None:
    """Remove the table of a use, and its output."""
    output_namespace = (await store.describe()).output_namespace
    try:
        if outputs is not None:
            await _clear_outputs(outputs, output_keys(output_namespace))
    finally:
        await store.drop()


async def _clear_outputs(outputs: OutputStore, keys: Sequence[OutputKey]) -> None:
    ours = {outputs.location(key) for key in keys}
    async for each in outputs.unfinished(keys[0].table):
        if each.location in ours:
            await outputs.discard(each)
    for key in keys:
        await outputs.remove(key)


async def _marks(store: Store) -> list[Worker]:
    return [worker for worker in await store.workers() if worker.job == MARK]


def _at_work(marks: Sequence[Worker], now: datetime, process_status: ProcessProbe) -> bool:
    return any(condition(worker, now=now, process_status=process_status) is WorkerCondition.ALIVE for worker in marks)


async def _is_used(store: Store) -> bool:
    """Tell whether it has items of anybody else."""
    return bool([each async for each in store.summaries() if each.sample != MARK])


@dataclass(frozen=True, slots=True)
class Disposable:
    """The table called `name`, and its output; `me` is the worker row that says whose it is."""

    name: str
    store: Store
    outputs: OutputStore | None
    me: Worker
    clock: Clock
    process_status: ProcessProbe
    say: Callable[[str], None]

    @asynccontextmanager
    async def made(self, *, shards: int, indexes: Sequence[Mapping[str, object]]) -> AsyncIterator[str]:
        """Make the table, yield the name that its output is filed under, and remove both.

        Raises:
            UsageError: there is a table of that name, which is not that of a killed use.
        """
        making = asyncio.create_task(self._make(shards, indexes), name="disposable table")
        try:
            await asyncio.shield(making)
            await self.store.heartbeat(self.me)
            yield (await self.store.describe()).output_namespace
        finally:
            await self._remove(making)

    async def _make(self, shards: int, indexes: Sequence[Mapping[str, object]]) -> None:
        self.say(f"making the disposable table {self.name}")
        if not await self.store.create(shards=shards, indexes=indexes):
            await self._check_killed()
            self.say("it is there already: what a killed bench left is removed first")
            await clear(self.store, self.outputs)
            if not await self.store.create(shards=shards, indexes=indexes):
                raise UsageError(f"another bench has just begun on table {self.name}", hint="wait for it")

    async def _check_killed(self) -> None:
        marks = await _marks(self.store)
        if _at_work(marks, self.clock.now(), self.process_status):
            raise UsageError(
                f"another bench is at work on table {self.name}",
                hint=f"wait for it; if it was killed, `pyanamo table delete -t {self.name}` removes what it left",
            )
        if not marks or await _is_used(self.store):
            raise UsageError(
                f"there is a table {self.name} already, and no bench made it",
                hint=f"bench needs that name for a while; if nobody needs it, `pyanamo table delete -t {self.name}`",
            )

    async def _remove(self, making: asyncio.Task[None]) -> None:
        try:
            await asyncio.wait([making])  # a table that is half made cannot be removed
            if not making.cancelled() and making.exception() is None:
                self.say(f"removing {self.name}")
                await clear(self.store, self.outputs)
        except BaseException:
            self.say(f"table {self.name} or output of it is left behind. hint: the next `pyanamo bench` removes it")
            raise

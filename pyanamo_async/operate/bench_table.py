"""A table for the time of a bench, beside the one that people use: their workers do not look into it.

1. A table that no bench created is never removed.
2. However the bench ends, its table and output are removed; a second signal does not cut that short half way.
3. The table of a killed bench is known by its name and its mark; the next bench removes it, or `pyanamo table delete`.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

from pyanamo_async.core.workers import Worker
from pyanamo_async.errors import UsageError
from pyanamo_async.fleet.membership import ProcessProbe, WorkerCondition, condition
from pyanamo_async.operate.logs import STDOUT
from pyanamo_async.ports import Clock, OutputKey, OutputStore, Store

SUFFIX = "-bench"  # behind the name of the table it stands beside
MARK = "pyanamo bench"  # the sample of all its items, and the job of its worker row
OUTPUTS = 21


def output_keys(output_namespace: str) -> list[OutputKey]:
    """List the only outputs that a bench may store."""
    return [OutputKey(output_namespace, "bench", f"Task_{number}", 1, STDOUT) for number in range(OUTPUTS)]


@dataclass(frozen=True, slots=True)
class BenchTable:
    """The table called `name`, and its output; `me` is the worker row that marks it as a bench's."""

    name: str
    store: Store
    outputs: OutputStore | None
    me: Worker
    clock: Clock
    probe: ProcessProbe
    note: Callable[[str], None]

    @asynccontextmanager
    async def created(self, *, shards: int, indexes: Sequence[Mapping[str, object]]) -> AsyncIterator[str]:
        """Create the table, yield the namespace of its output, and remove both.

        Raises:
            UsageError: there is a table of that name, and it is not that of a killed bench.
        """
        creating = asyncio.create_task(self._create(shards, indexes), name="bench table")
        try:
            await asyncio.shield(creating)
            await self.store.heartbeat(self.me)
            yield (await self.store.describe()).output_namespace
        finally:
            await self._remove_after(creating)

    async def _create(self, shards: int, indexes: Sequence[Mapping[str, object]]) -> None:
        self.note(f"creating table {self.name}, which is removed at the end")
        if not await self.store.create(shards=shards, indexes=indexes):
            await self._check_abandoned()
            self.note("it exists: removing what a killed bench left behind")
            await self._remove()
            if not await self.store.create(shards=shards, indexes=indexes):
                raise UsageError(f"another bench has just begun on table {self.name}", hint="wait for it")

    async def _check_abandoned(self) -> None:
        marks = [worker for worker in await self.store.workers() if worker.job == MARK]
        now = self.clock.now()
        if any(condition(each, now=now, process_status=self.probe) is WorkerCondition.ALIVE for each in marks):
            raise UsageError(
                f"another bench is running on table {self.name}",
                hint="wait for it; if it was killed, `pyanamo table delete` removes its table",
            )
        if not marks or [each async for each in self.store.summaries() if each.sample != MARK]:
            raise UsageError(
                f"there is a table {self.name} already, and no bench created it",
                hint="bench needs that name for a while; `pyanamo table delete` removes it if nobody needs it",
            )

    async def _remove(self) -> None:
        output_namespace = (await self.store.describe()).output_namespace
        try:
            if self.outputs is not None:
                await _remove_outputs(self.outputs, output_keys(output_namespace))
        finally:
            await self.store.drop()

    async def _remove_after(self, creating: asyncio.Task[None]) -> None:
        try:
            await asyncio.wait([creating])  # a table that is half created cannot be removed
            if not creating.cancelled() and creating.exception() is None:
                self.note(f"removing table {self.name}")
                await self._remove()
        except BaseException:
            self.note(f"table {self.name} or its output is left behind. hint: the next `pyanamo bench` removes it")
            raise


async def _remove_outputs(outputs: OutputStore, keys: Sequence[OutputKey]) -> None:
    ours = {outputs.location(key) for key in keys}
    async for each in outputs.unfinished(keys[0].table):
        if each.location in ours:
            await outputs.discard(each)
    for key in keys:
        await outputs.remove(key)

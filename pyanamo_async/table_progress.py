"""How far a table is: counted, watched and waited for.

Every method is thin: what it does is in `operate/`, which is imported when it is first used.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Collection, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from pyanamo_async.app.locations import DynamoTable, SqliteTable, parse_table
from pyanamo_async.core.items import Item, State
from pyanamo_async.errors import TableMissing, Unavailable, UsageError
from pyanamo_async.fleet.left_items import left_items
from pyanamo_async.fleet.membership import WorkerStatus, list_workers, living
from pyanamo_async.host.liveness import LocalProcesses
from pyanamo_async.table_reader import TableReader

if TYPE_CHECKING:
    from pyanamo_async.core.counts import Counts, Quarter
    from pyanamo_async.core.queue_lanes import OutOfReach
    from pyanamo_async.core.samples import SampleRow, SampleStep
    from pyanamo_async.operate.explaining import Explanation
    from pyanamo_async.operate.status import Status
    from pyanamo_async.operate.waiting import WaitResult


class TableProgress(TableReader):
    """One table of items, and how far it is."""

    async def counts(self) -> Counts:
        """Count items and tasks by state, from the queue index."""
        return await (await self._open()).counts()

    async def status(self, *, memory: bool = True) -> Status:
        """Return the table's progress.

        It has items and tasks by state, nested items by how far they are, living workers, how many items were settled
        in the last minutes and in the last hour, how long the rest takes, and why items failed. With `memory` it has
        what a few tasks used of it, too, and what items need that no living worker has; for that it reads their rows.
        """
        from pyanamo_async.operate.status import status

        store, workers = await self._open(), await self.workers()
        return await status(store, self.address, workers, now=store.service_time(now=datetime.now(UTC)), memory=memory)

    async def watch(
        self, *, every: timedelta = timedelta(seconds=2), missed: Callable[[Unavailable], None] = lambda _: None
    ) -> AsyncGenerator[Status, None]:
        """Yield the table's progress, at once and then after each pause of `every`, for ever.

        All items, workers and failures are counted once a minute, and in between only what moves: a large table costs
        little to watch. A look that fails because the table does not answer is left out; the first of several in a
        row is told to `missed`.

        Raises:
            UsageError: `every` is not positive.
        """
        from pyanamo_async.host.clock import SystemClock
        from pyanamo_async.operate.status import watch

        if every <= timedelta():
            raise UsageError(f"`every` is {'below ' if every else ''}zero", hint="give a positive duration")
        store = await self._open()
        async for seen in watch(store, self.address, self.workers, every=every, clock=SystemClock(), missed=missed):
            yield seen

    async def nested_items(self, *, most: int = 1000) -> Mapping[Quarter, list[str]]:
        """Return the ids of nested items by how far they are, up to `most` of each kind."""
        from pyanamo_async.operate.status import nested_items

        return await nested_items(await self._open(), most=most)

    async def explain(self, item_id: str) -> Explanation:
        """Explain why an item does not run, or what became of it, and what to do about it.

        Raises:
            ItemMissing: the table has no such item.
            BadRow: its row cannot be read.
        """
        from pyanamo_async.operate.explaining import explain

        item, workers, store = await self.item(item_id), await self.workers(), await self._open()
        return explain(item, now=store.service_time(now=datetime.now(UTC)), workers=workers)

    async def holder(self, item: Item) -> WorkerStatus | None:
        """Return the worker that holds an item; None if none does, or the table knows nothing of it.

        If the item waits there for room, `worker.waiting` has the item's token.
        """
        if item.state is not State.LOCKED:
            return None
        store, now = await self._open(), datetime.now(UTC)
        found = await list_workers(store, now=now, processes=LocalProcesses(), of=[item.worker])
        return found[0] if found else None

    async def wait(
        self,
        *,
        timeout: timedelta | None = None,
        tell: Callable[[Counts, int, Sequence[OutOfReach]], None] | None = None,
        missed: Callable[[Unavailable], None] = lambda _: None,
    ) -> WaitResult:
        """Wait until nothing is left to run, for at most `timeout`; held items are not waited for.

        It costs little: while workers hold items, only the first of them is looked for. `tell` hears what the table
        holds, how many workers live, and the items that none of these takes, at once and then each minute;
        without it nothing is counted before the end.
        `missed` hears when the table does not answer: of the first look of several in a row.

        Raises:
            UsageError: `timeout` is negative.
        """
        from pyanamo_async.app.bootstrap import INDEX_LAG
        from pyanamo_async.host.clock import SystemClock
        from pyanamo_async.operate.waiting import wait

        if timeout is not None and timeout < timedelta():
            raise UsageError(f"`timeout` is {timeout}", hint="give a duration")

        store = await self._open()

        async def tell_all(counts: Counts) -> None:
            if tell:
                alive = living(await self.workers())
                tell(counts, len(alive), await left_items(store, [each.kind for each in alive]))

        return await wait(
            store,
            timeout=timeout,
            index_lag=INDEX_LAG if isinstance(self._resources.settings.table, DynamoTable) else timedelta(),
            clock=SystemClock(),
            tell=tell_all if tell else None,
            missed=missed,
        )

    @property
    def step(self) -> str:
        """The name of the step whose table this is: that of the DynamoDB table, or its file's without the ending."""
        address = self._resources.settings.table
        return address.path.stem if isinstance(address, SqliteTable) else str(address)

    async def samples(self) -> dict[str, SampleStep]:
        """Count the items of each sample by state; memory grows with the number of samples."""
        from pyanamo_async.core.samples import NOTHING, with_item

        found: dict[str, SampleStep] = {}
        async for each in (await self._open()).summaries():
            found[each.sample] = with_item(found.get(each.sample, NOTHING), each.state)
        return found


async def sample_matrix(
    tables: Sequence[TableProgress],
    *,
    through: Collection[str] = (),
    not_through: Collection[str] = (),
    failed_in: Collection[str] = (),
) -> list[SampleRow]:
    """Return the samples of several steps, by name, and how each is in each step: a table is a step.

    Only those that are through some steps (every item is done), not through others (an item is missing or not done),
    and failed in others. A step is named by the address of its table, or by `step`. The table of a step that only
    `not_through` names need not exist: no sample has come to that step yet.

    Raises:
        UsageError: a name means none of the tables, or several.
        TableMissing: another table does not exist.
    """
    from pyanamo_async.core.samples import sample_rows

    chosen = {
        "through": [_step(each, tables, "through") for each in through],
        "not_through": [_step(each, tables, "not_through") for each in not_through],
        "failed_in": [_step(each, tables, "failed_in") for each in failed_in],
    }
    not_begun = {*chosen["not_through"]}.difference(chosen["through"], chosen["failed_in"])
    steps = [await _samples(table, may_be_missing=number in not_begun) for number, table in enumerate(tables)]
    return list(sample_rows(steps, **chosen))


async def _samples(table: TableProgress, *, may_be_missing: bool) -> dict[str, SampleStep]:
    try:
        return await table.samples()
    except TableMissing:
        if not may_be_missing:
            raise
        return {}


def _step(name: str, tables: Sequence[TableProgress], argument: str) -> int:
    """Return the number of the table that a step's name means."""
    found = [number for number, table in enumerate(tables) if _is_address(name, table.address)]
    found = found or [number for number, table in enumerate(tables) if name == table.step]
    if len(found) == 1:
        return found[0]
    named = ", ".join(table.address for table in tables)
    if found:
        raise UsageError(f"`{argument}` '{name}' means several tables", hint=f"give one of {named}")
    raise UsageError(f"`{argument}` '{name}' is none of the tables", hint=f"these are {named}")


def _is_address(name: str, address: str) -> bool:
    try:
        return str(parse_table(name)) == address
    except UsageError:
        return False

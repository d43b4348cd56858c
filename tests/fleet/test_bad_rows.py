"""Fleets over tables with bad rows, on virtual time: each such row costs itself alone."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from datetime import timedelta
from functools import reduce
from operator import getitem
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeVar

import orjson
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from pyanamo_async.core.items import CLAIMABLE, Item, State
from pyanamo_async.core.stored.columns import Row
from pyanamo_async.core.stored.worker_row import encode_worker
from pyanamo_async.core.values import replace
from pyanamo_async.core.workers import Worker
from pyanamo_async.host.modes import PRIVATE
from pyanamo_async.ports import Store
from pyanamo_async.store.dynamodb.codec import unmarshal_row
from pyanamo_async.store.dynamodb.fleet import _row as worker_row
from pyanamo_async.store.dynamodb.fleet import row_id
from pyanamo_async.store.dynamodb.rows import stored
from pyanamo_async.store.sqlite import SqliteStore, schema
from pyanamo_async.store.sqlite.engine import Engine
from pyanamo_async.worker.run_summary import RunSummary
from simulation.crew import Crew
from simulation.index import Entry, IndexLag
from simulation.network import Client
from simulation.service import Service
from simulation.virtual_time import NOON, VirtualLoop, run
from simulation.workers import INDEX_LAG, store_of
from tests.damage import (
    GONE,
    ODD_NUMBERS,
    columns_of,
    damage,
    damaged,
    damaged_columns,
    demanding,
    insert,
    odd_like,
    paths,
    samples,
    typed_row,
    worker_columns,
)
from tests.fakes import an_item

T = TypeVar("T")
FEW = settings(deadline=None, max_examples=25, phases=[Phase.explicit, Phase.generate])  # shrinking takes minutes
SHARDS = 2
GOOD = [f"good-{number}" for number in range(6)]
MOST_REQUESTS = 4000  # of two workers in at most some minutes of virtual time; a worker that spins makes many more
GHOST = Worker(GONE, "elsewhere", NOON, NOON, timedelta(seconds=180), job="job", process="1 2", slots=1)


class Inline(Engine):
    """The engine of a table in a file, without its thread: nothing may run beside virtual time."""

    def __init__(self, path: Path) -> None:
        self._table = schema.open_table(path, timedelta(seconds=1))
        self.requests = 0

    async def read(self, work: Callable[..., T]) -> T:
        self.requests += 1
        self._table.execute("BEGIN IMMEDIATE")
        try:
            return work(self._table)
        finally:
            self._table.execute("COMMIT")

    write = read

    async def close(self) -> None:
        self._table.close()


class SqliteTable:
    """A table in a file, which other programs write too."""

    index_lag = timedelta()

    def __init__(self, folder: str) -> None:
        self.path = Path(folder) / "table.db"
        schema.create_table(self.path, timedelta(seconds=1), shards=1, umask=PRIVATE)
        self._engines: list[Inline] = []

    def open(self, seed: int) -> Store:  # noqa: ARG002 # as the other
        store, engine = SqliteStore(self.path), Inline(self.path)
        store._engine = engine
        self._engines.append(engine)
        return store

    @property
    def requests(self) -> int:
        return sum(engine.requests for engine in self._engines)

    async def write(self, statement: str, *values: object) -> None:
        await self._engines[0].write(lambda connection: connection.execute(statement, values))

    async def left(self) -> list[tuple[str, str]]:
        """List the items that are claimable or held, with their states."""
        query = "SELECT itemID, ItemState FROM items WHERE ItemState IN ('todo', 'locked', 'Wall_Time_Exceeded')"
        return await self._engines[0].read(lambda connection: connection.execute(query).fetchall())


class DynamoTable:
    """A simulated table of DynamoDB, which other programs write too."""

    index_lag = INDEX_LAG

    def __init__(self) -> None:
        self.service = Service(shards=SHARDS, rng=random.Random(1), lag=IndexLag(mean_s=0.05))

    def open(self, seed: int) -> Store:
        return store_of(Client(self.service, random.Random(seed)), seed=seed)

    @property
    def requests(self) -> int:
        return self.service.bill.requests.total()

    async def left(self) -> list[tuple[str, str]]:
        states = tuple(f"{state}#{shard}" for state in (*CLAIMABLE, State.LOCKED) for shard in range(SHARDS))
        shown = {key: row for key, row in self.service.rows.items() if "Queue_Key" in row}  # the others are in no index
        placed = ((key, row.get("Queue", {}).get("S", ""), row.get("ItemState")) for key, row in shown.items())
        # a state that disagrees with the queue is another program's doing, and left for a person
        return [(key, queue) for key, queue, state in placed if queue in states and state == {"S": queue[:-2]}]


async def work(table: SqliteTable | DynamoTable, loop: VirtualLoop) -> list[RunSummary]:
    """Let two workers work until they go home."""
    crews = [
        Crew(loop, name=f"host-{n}", store=table.open(n), seed=n, index_lag=table.index_lag, pays_per_read=n > 1)
        for n in (1, 2)
    ]
    await crews[0].store.add([an_item(item_id, script="sleep 1") for item_id in GOOD])
    async with asyncio.timeout(3600):
        return await asyncio.gather(*(crew.pilot().run() for crew in crews))


async def check(table: SqliteTable | DynamoTable, summaries: list[RunSummary]) -> None:
    """Nobody ended early, all good items are done, and what is left is nothing that could be claimed or taken over."""
    store = table.open(0)

    assert [(each.errors, each.lost) for each in summaries] == [(0, 0)] * 2
    assert {State.DONE} == {(await store.read(item_id)).state for item_id in GOOD}
    assert await table.left() == []
    assert table.requests < MOST_REQUESTS
    assert [summary async for summary in store.summaries()]
    assert (await store.counts()).total >= len(GOOD)
    await store.workers()


def named(item: Item, number: int) -> Item:
    return replace(item, item_id=f"odd-{number}")


def dynamo_rows() -> st.SearchStrategy[list[Row]]:
    rows = [
        damage(stored(named(item, number), shards=SHARDS, tiebreak="0badcafe")) for number, item in enumerate(samples())
    ]
    return st.tuples(*rows).map(list)


def sqlite_rows() -> st.SearchStrategy[list[Row]]:
    return st.tuples(*(damaged_columns(named(item, number)) for number, item in enumerate(samples()))).map(list)


@FEW
@given(dynamo_rows())
def test_any_item_row_on_dynamodb_costs_itself_alone(rows: list[Row]) -> None:
    """Workers bury what they cannot read where it could be claimed, or was held by a worker that is gone."""

    async def main(loop: VirtualLoop) -> None:
        table = DynamoTable()
        for row in rows:
            table.service._put(typed_row(row))
        await check(table, await work(table, loop))

    run(main)


@FEW
@given(sqlite_rows())
def test_any_item_row_on_sqlite_costs_itself_alone(rows: list[Row]) -> None:
    """So it is in a file: another program may have written any column."""

    async def main(loop: VirtualLoop) -> None:
        with TemporaryDirectory() as folder:
            table = SqliteTable(folder)
            insert(table.path, "items", rows)
            await check(table, await work(table, loop))

    run(main)


@pytest.mark.parametrize("number", ODD_NUMBERS)
def test_an_odd_number_in_whatever_attribute_costs_its_item_alone(number: float) -> None:
    """One item for each attribute that is a number, on both stores."""
    item = demanding(samples()[0])
    columns, row = columns_of(item), stored(item, shards=SHARDS, tiebreak="0badcafe")
    whole = orjson.loads(columns["Row"])

    async def on_dynamodb(loop: VirtualLoop) -> None:
        table = DynamoTable()
        for path in numeric(row):
            table.service._put(typed_row({**damaged(row, path, number), "itemID": "/".join(path)}))
        await check(table, await work(table, loop))

    async def on_sqlite(loop: VirtualLoop) -> None:
        with TemporaryDirectory() as folder:
            table = SqliteTable(folder)
            odd_rows = {path: orjson.dumps(damaged(whole, path, number)).decode() for path in numeric(whole)}
            inside = [{**columns, "itemID": "/".join(path), "Row": text} for path, text in odd_rows.items()]
            strict = numeric(columns) if isinstance(number, int) else []  # a column of whole numbers takes no other
            beside = [{**damaged(columns, path, number), "itemID": f"column {path[0]}"} for path in strict]
            insert(table.path, "items", [*inside, *beside])
            await check(table, await work(table, loop))

    run(on_dynamodb)
    run(on_sqlite)


def numeric(row: Row) -> list[tuple[str, ...]]:
    """List the attributes of a row that are numbers."""
    return [path for path in paths(row) if isinstance(reduce(getitem, path, row), int | float)]


@FEW
@given(damage({**worker_row(GHOST), "itemID": row_id(GONE), "Desired": "run", "Following": {"a/Task_0/1": "2026"}}))
def test_any_worker_row_on_dynamodb_costs_itself_alone(row: Row) -> None:
    """The items of a dead worker are taken over, whatever its row says."""

    async def main(loop: VirtualLoop) -> None:
        table = DynamoTable()
        table.service._put(typed_row(row))
        table.service._put(typed_row({**row, "itemID": "a stranger", "Queue": "worker#0", "Queue_Key": "zzz"}))
        table.service.seed([replace(samples()[3], item_id="held")])
        await check(table, await work(table, loop))

        assert (await table.open(0).read("held")).state is State.DONE

    run(main)


@st.composite
def ghost_columns(draw: st.DrawFn) -> Row:
    columns = worker_columns(GHOST, encode_worker(GHOST))
    name = draw(st.sampled_from([name for name in columns if name != "InstanceID"]))
    return columns | {name: draw(odd_like(columns[name]))}


@FEW
@given(ghost_columns())
def test_any_worker_row_on_sqlite_costs_itself_alone(columns: Row) -> None:
    """So it is in a file."""

    async def main(loop: VirtualLoop) -> None:
        with TemporaryDirectory() as folder:
            table = SqliteTable(folder)
            insert(table.path, "workers", [columns])
            insert(table.path, "items", [columns_of(replace(samples()[3], item_id="held"))])
            await check(table, await work(table, loop))

            assert (await table.open(0).read("held")).state is State.DONE

    run(main)


STAMPS = st.sampled_from(["zzz", "2026-99-99", "9998-12-31T23:59:59.999Z", "2026-01-02T12:00:00.000Z", "0"])


async def _survives(
    table: SqliteTable | DynamoTable, loop: VirtualLoop, spoil: Callable[[Store], Awaitable[None]]
) -> None:
    """Spoil the row of a worker at work: nobody takes its item, and its next heartbeat mends what is its own."""
    crews = [
        Crew(loop, name=f"host-{n}", store=table.open(n), seed=n, index_lag=table.index_lag, pays_per_read=True)
        for n in (1, 2)
    ]
    await crews[0].store.add([an_item("long", script="sleep 600")])
    working = [loop.create_task(crew.pilot().run()) for crew in crews]
    await asyncio.sleep(50)
    [busy] = [crew for crew in crews if crew.launcher.running]
    await spoil(busy.store)
    async with asyncio.timeout(3600):
        summaries = await asyncio.gather(*working)

    assert [(each.errors, each.lost, each.put_back) for each in summaries] == [(0, 0, 0)] * 2
    assert busy.launcher.started == {"long": 1}
    assert (await busy.store.read("long")).state == State.DONE


@FEW
@given(st.data())
def test_a_worker_outlives_what_others_write_into_its_row_on_dynamodb(data: st.DataObject) -> None:
    """Its heartbeat is its own, and so is every attribute that it writes."""

    async def main(loop: VirtualLoop) -> None:
        table = DynamoTable()

        async def spoil(store: Store) -> None:
            [held] = [holder async for holder in store.holders()]
            row = unmarshal_row(table.service.rows[row_id(held)])
            row = data.draw(damage(row) | STAMPS.map(lambda stamp: {**row, "Queue_Key": stamp}))
            table.service._write(row_id(held), typed_row(row), 1, Entry.of(typed_row(row)))

        await _survives(table, loop, spoil)

    run(main)


@FEW
@given(st.data())
def test_a_worker_outlives_what_others_write_into_its_row_on_sqlite(data: st.DataObject) -> None:
    """So it is in a file."""

    async def main(loop: VirtualLoop) -> None:
        with TemporaryDirectory() as folder:
            table = SqliteTable(folder)

            async def spoil(store: Store) -> None:
                [held] = [holder async for holder in store.holders()]
                columns = worker_columns(GHOST, encode_worker(GHOST))
                name = data.draw(st.sampled_from([name for name in columns if name not in ("InstanceID", "State")]))
                value = data.draw(STAMPS if name == "Heartbeat" else odd_like(columns[name]))
                value = value.decode(errors="replace") if isinstance(value, bytes) else value
                change = f"UPDATE workers SET {name} = ? WHERE InstanceID = ?"  # noqa: S608 - names of columns
                await table.write(change, value, held)

            await _survives(table, loop, spoil)

    run(main)

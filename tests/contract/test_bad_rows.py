"""Rows that cannot be read, as the stores meet them: raw rows of a real SQLite file, and of DynamoDB Local."""

from __future__ import annotations

import sqlite3
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from pyanamo_async.core.items import CLAIMABLE, Item, State
from pyanamo_async.core.orders import reset
from pyanamo_async.core.output_tail import OutputTail, TailChunk, TaskRef
from pyanamo_async.core.queue_lanes import WorkerKind
from pyanamo_async.core.selection import Selection
from pyanamo_async.core.stored.columns import Row
from pyanamo_async.core.stored.row_size import COLLECTION_BYTES, stored_bytes
from pyanamo_async.core.stored.worker_row import encode_worker
from pyanamo_async.core.values import replace
from pyanamo_async.core.workers import Desired
from pyanamo_async.errors import BadRow
from pyanamo_async.operate.changing import Writer, change
from pyanamo_async.operate.selecting import select
from pyanamo_async.ports import AddResult, Store
from pyanamo_async.store.dynamodb.fleet import _row as worker_row
from pyanamo_async.store.dynamodb.fleet import row_id
from pyanamo_async.store.dynamodb.output_tails import _row_id as tail_row
from pyanamo_async.store.dynamodb.rows import stored
from pyanamo_async.store.sqlite import SqliteStore
from tests.contract.steps import a_worker, claim, listing
from tests.damage import (
    GONE,
    ODD_NUMBERS,
    columns_of,
    damage,
    damaged_columns,
    insert,
    samples,
    typed_row,
    worker_columns,
)
from tests.fakes import NOON, FakeClock, an_item

SHARDS = 4
FEW = settings(
    deadline=None,
    max_examples=8,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
GOOD = ["good-1", "good-2"]
NO_SCRIPT = "TaskScript is missing"


@dataclass
class Raw:
    """A store, and how another program writes rows into its table: damaged, or with `changes` (None: without)."""

    store: Store
    put: Callable[[Sequence[Row]], Awaitable[None]]
    put_worker: Callable[[Row], Awaitable[None]]
    rows: Callable[[], st.SearchStrategy[list[Row]]]
    row: Callable[..., Row]
    get: Callable[[str], Awaitable[Row]]
    damage_tail: Callable[[TaskRef, st.DataObject], Awaitable[None]]


@pytest.fixture(params=["sqlite", "dynamodb"])
async def raw(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Raw]:
    """Each store that another program can write to."""
    if request.param == "sqlite":
        store = SqliteStore(tmp_path / "table.db")
        await store.create(shards=SHARDS)
        yield _sqlite(store)
        await store.close()
        return
    from harness.dynamodb import dynamo_store

    async with dynamo_store(request.getfixturevalue("dynamodb_endpoint"), shards=SHARDS) as dynamo:
        yield _dynamo(dynamo)


def _sqlite(store: SqliteStore) -> Raw:
    import json

    async def put(rows: Sequence[Row]) -> None:
        insert(store.path, "items", list(rows))

    async def put_worker(changes: Row) -> None:
        columns = worker_columns(a_worker(GONE), encode_worker(a_worker(GONE)))
        columns |= {"Platform": json.dumps(columns["Platform"])}
        insert(store.path, "workers", [columns | changes])

    async def get(item_id: str) -> Row:
        [row] = await store._rows("SELECT Row, ItemState, Reason FROM items WHERE itemID = ?", item_id)
        return {**json.loads(row[0]), "ItemState": row[1], "Reason": row[2]}

    def row(item: Item, **changes: object) -> Row:
        columns = columns_of(item)
        whole = {**json.loads(columns["Row"]), **changes}
        return columns | {"Row": json.dumps({name: value for name, value in whole.items() if value is not None})}

    def rows() -> st.SearchStrategy[list[Row]]:
        return st.tuples(*(damaged_columns(item) for item in _named())).map(list)

    async def damage_tail(task: TaskRef, data: st.DataObject) -> None:
        name = data.draw(st.sampled_from(["Stdout", "Stdout_End", "Stderr", "Stderr_End"]))
        value = data.draw(st.sampled_from([number for number in ODD_NUMBERS if isinstance(number, int)]))
        with closing(sqlite3.connect(store.path)) as other:
            other.execute(
                f"UPDATE output_tails SET {name} = ? WHERE Task = ?",  # noqa: S608 - a column
                (value if name.endswith("End") else b"x" * (value % 9), str(task)),
            )
            other.commit()

    return Raw(store, put, put_worker, rows, row, get, damage_tail)


def _dynamo(store: Any) -> Raw:  # noqa: ANN401 # imported only where it is asked for
    client, table = store._table.client, store._table.name

    async def put(rows: Sequence[Row]) -> None:
        for each in rows:
            await client.put_item(TableName=table, Item=typed_row(each))

    async def put_worker(changes: Row) -> None:
        await put([{**worker_row(a_worker(GONE)), "itemID": row_id(GONE), **changes}])

    async def get(item_id: str) -> Row:
        found: Row = await store._table.get(item_id)
        return found

    def row(item: Item, **changes: object) -> Row:
        whole = {**stored(item, shards=SHARDS, tiebreak="0badcafe"), **changes}
        return {name: value for name, value in whole.items() if value is not None}

    def rows() -> st.SearchStrategy[list[Row]]:
        return st.tuples(*(damage(row(item)) for item in _named())).map(list)

    async def damage_tail(task: TaskRef, data: st.DataObject) -> None:
        chunk = {"Text": "out", "End": 3}
        row = {"Asked_Until": "2027", "Stdout": chunk, "Stderr": chunk}
        await put([{"itemID": tail_row(task), **data.draw(damage(row, keep=("Asked_Until",)))}])

    return Raw(store, put, put_worker, rows, row, get, damage_tail)


def _named() -> list[Item]:
    return [replace(item, item_id=f"odd-{number}") for number, item in enumerate(samples())]


@FEW
@given(data=st.data())
async def test_any_row_is_claimed_or_buried(raw: Raw, data: st.DataObject) -> None:
    """Claims come to an end with nothing left in the queues, and every call goes on working; doctor finds the bad."""
    store = raw.store
    for item in await store.held("w"):
        if isinstance(item, Item):
            await store.remove(item)
    await store.add([an_item(item_id) for item_id in GOOD], replace=True)
    rows = data.draw(raw.rows())
    odd = uuid.uuid4().hex
    await raw.put([{**row, "itemID": odd + row["itemID"]} for row in rows])
    later = NOON.replace(year=2027)

    claimed: list[Item] = []
    for state in CLAIMABLE * 5:  # more often than there are rows of one shard, and no more
        claimed += await claim(store, "w", limit=100, now=later, state=state)
        await store.next_due(state=state, consistent=True)  # other writers are not seen otherwise

    assert {*GOOD} <= {item.item_id for item in claimed}
    assert [await store.next_due(state=state, consistent=True) for state in CLAIMABLE] == [None, None]
    bad = {each.row_id for each in [each async for each in store.unreadable()]}
    good = {item.item_id async for item in store.items()}
    assert not {item.item_id for item in claimed} & bad
    assert {odd + row["itemID"] for row in rows} <= bad | good
    assert {*GOOD} <= {summary.item_id for summary in await listing(store)}
    await store.counts()
    for held in await store.held(GONE):
        assert not isinstance(held, BadRow) or await store.bury(held, now=NOON)
    assert [item for item in await store.held(GONE) if isinstance(item, BadRow)] == []


async def test_a_row_that_cannot_be_read_is_buried_with_all_it_has(raw: Raw) -> None:
    """Its state says that it failed, its reason why, and a person finds the rest as it was."""
    row = raw.row(an_item("a"), TaskScript=None, Note="by hand")
    await raw.put([row])

    assert await raw.store.claim("w", limit=1, now=NOON) == []

    buried = await raw.get("a")
    assert ("failed", f"row cannot be read: {NO_SCRIPT}") == (buried["ItemState"], buried["Reason"])
    assert buried["Note"] == "by hand"
    counts = await raw.store.counts()
    assert (counts.items[State.TODO], counts.items[State.FAILED]) == (0, 1)
    assert [each.row_id async for each in raw.store.unreadable()] == ["a"]


async def test_good_items_behind_many_bad_ones_are_claimed_at_once(raw: Raw) -> None:
    """One call looks behind what it buries: nobody waits because of it."""
    await raw.put([raw.row(an_item(f"bad-{number}", priority=0), TaskScript=None) for number in range(60)])
    await raw.store.add([an_item("good")])

    assert [item.item_id for item in await raw.store.claim("w", limit=1, now=NOON)] == ["good"]


async def test_a_row_that_could_not_grow_costs_itself_alone(dynamodb_endpoint: str) -> None:
    """Of 400 KB, which is what the service takes: there is no room for the name of its holder."""
    from harness.dynamodb import dynamo_store

    async with dynamo_store(dynamodb_endpoint, shards=1) as store:
        row = stored(an_item("large", priority=0), shards=1, tiebreak="0badcafe")
        room = 400 * 1024 - stored_bytes(row) + COLLECTION_BYTES + len(row) - len("Note")
        await store._table.client.put_item(
            TableName=store._table.name, Item=typed_row(row | {"Note": "x" * (room - 40)})
        )
        await store.add([an_item("good")])

        assert [item.item_id for item in await store.claim("w", limit=2, now=NOON)] == ["good"]
        assert await store.claim("w", limit=2, now=NOON) == []
        assert [(len(store.bad_rows), each.state) for each in await listing(store) if each.item_id == "large"] == [
            (1, State.FAILED)
        ]


@pytest.mark.parametrize("others", [[], [an_item("large", memory_class=64)]], ids=["alone", "beside a memory class"])
async def test_a_due_time_that_cannot_be_read_is_now(raw: Raw, others: list[Item]) -> None:
    """A good item with a queue key of another form is run, not waited for for ever, also by a small worker."""
    raw.store.kind = WorkerKind(largest_class=16)
    await raw.store.add(others)
    await raw.put([raw.row(an_item("a")) | {"Queue_Key": "zzz"}, raw.row(an_item("b")) | {"Queue_Key": "1tomorrow"}])

    assert {"a", "b"} == {item.item_id for item in await claim(raw.store, "w", limit=3)}
    assert (await raw.store.counts()).total == 2 + len(others)


async def test_the_key_outranks_an_id_inside_the_row(tmp_path: Path) -> None:
    """A copy that kept the id of its original is claimed once, as what it is called by."""
    store = SqliteStore(tmp_path / "table.db")
    await store.create(shards=1)
    insert(store.path, "items", [columns_of(an_item("original")) | {"itemID": "copy"}])

    assert [item.item_id for item in await store.claim("w", limit=2, now=NOON)] == ["copy"]
    assert await store.claim("w", limit=2, now=NOON) == []
    await store.close()


async def test_states_of_later_versions_are_listed_and_not_touched(raw: Raw) -> None:
    """They are somebody's, and mean something."""
    row = raw.row(an_item("a")) | {"ItemState": "paused", "Queue": "paused#0"}
    if isinstance(raw.store, SqliteStore):
        del row["Queue"]
    await raw.put([row])
    before = await raw.get("a")

    assert await raw.store.claim("w", limit=1, now=NOON) == []
    assert await raw.store.next_due() is None
    assert (await raw.store.counts()).total == 0
    assert [(bad.row_id, bad.why) async for bad in raw.store.unreadable()] == [
        ("a", "ItemState is 'paused': 'paused' is not a valid State")
    ]
    assert before == await raw.get("a")


async def test_listings_leave_bad_rows_out_and_note_them(raw: Raw) -> None:
    """Whole items and lines alike, each row once."""
    await raw.put([raw.row(replace(an_item("bad"), state=State.DONE, done_at=NOON), TaskScript=None)])
    await raw.store.add([an_item("good")])

    for _ in range(2):
        assert [item.item_id async for item in raw.store.items()] == ["good"]
    assert len(raw.store.bad_rows) == 1


async def test_an_order_tells_of_a_bad_row_and_changes_the_others(raw: Raw) -> None:
    """It is neither missing nor changed meanwhile: somebody must look at it."""
    failed = replace(an_item("good"), state=State.FAILED, done_at=NOON)
    await raw.put([raw.row(replace(failed, item_id="bad"), TaskScript=None), raw.row(failed)])

    writer = Writer(raw.store, FakeClock())
    result = await change(writer, Selection(states=["failed"]), lambda item, _: reset(item, token="order"))

    assert (result.selected, result.changed, result.failed, result.no_longer_matching) == (2, 1, 1, 0)
    assert result.problem == "item bad cannot be read"
    assert [each async for each in select(raw.store, Selection(ids=["bad"]))] == []


async def test_a_buried_row_is_mended_by_importing_it_again(raw: Raw) -> None:
    """Its attempts go on where that number can be read."""
    await raw.put([raw.row(an_item("a", attempt=3), TaskScript=None), raw.row(an_item("b"), Wall_Time_Kills="many")])
    await raw.store.claim("w", limit=2, now=NOON)

    assert await raw.store.add([an_item("a"), an_item("b")], replace=True) == [AddResult.REPLACED] * 2

    attempts = {item.item_id: item.attempt for item in await claim(raw.store, "w", limit=2)}
    assert {"a", "b"} == attempts.keys()
    assert attempts["a"] > 3
    assert [bad async for bad in raw.store.unreadable()] == []


async def test_burying_twice_is_burying_once(raw: Raw) -> None:
    """A write that is sent again finds its own reason; one that comes late changes nothing."""
    held = replace(an_item("a"), state=State.LOCKED, worker=GONE, token="t", attempt=1, locked_at=NOON)
    await raw.put([raw.row(held, Wall_Time_Kills="many")])
    [bad] = await raw.store.held(GONE)
    assert isinstance(bad, BadRow)

    assert await raw.store.bury(bad, now=NOON)
    buried = await raw.get("a")
    await raw.store.bury(bad, now=NOON.replace(year=2027))

    assert buried == await raw.get("a")
    assert await raw.store.held(GONE) == []


async def test_a_row_that_has_moved_on_is_not_buried(raw: Raw) -> None:
    """It may be good again: only what was seen is buried."""
    held = replace(an_item("a"), state=State.LOCKED, worker=GONE, token="t", attempt=1, locked_at=NOON)
    await raw.put([raw.row(held, Wall_Time_Kills="many")])
    [bad] = await raw.store.held(GONE)
    assert isinstance(bad, BadRow)
    assert await raw.store.bury(bad, now=NOON)
    await raw.store.add([an_item("a")], replace=True)

    assert not await raw.store.bury(bad, now=NOON)
    assert (await raw.store.read("a")).state == State.TODO


@pytest.mark.parametrize("changes", [{"Desired": "pause"}, {"Slots": -1}, {"Lease": 1e100}], ids=str)
async def test_a_living_worker_needs_no_good_row(raw: Raw, changes: Row) -> None:
    """What others wrote into it ends no heartbeat, and a heartbeat mends what is its own."""
    await raw.put_worker(changes)
    me = a_worker(GONE)

    orders = await raw.store.heartbeat(me, registered=True)

    assert orders.desired == Desired.RUN
    [known] = await raw.store.workers()
    assert ("Desired" in changes) == bool(known.problem)


@FEW
@given(data=st.data())
async def test_what_is_published_may_be_anything(raw: Raw, data: st.DataObject) -> None:
    """A reader sees nothing of what cannot be read, and the worker's next part repairs it."""
    store, task = raw.store, TaskRef("a", "Task_0", 1)
    tail = OutputTail(TailChunk(b"out", 3), TailChunk(b"err", 3))
    await store.heartbeat(a_worker("follows"))
    await store.follow("follows", task, until=NOON.replace(year=2027))
    await raw.damage_tail(task, data)

    assert isinstance(await store.published(task), OutputTail)
    assert await store.publish(task, tail, now=NOON)
    assert await store.published(task) == tail


async def test_a_bad_worker_row_is_found(raw: Raw) -> None:
    """By whoever looks for bad rows."""
    await raw.put_worker({"Desired": "pause"})

    [bad] = [bad async for bad in raw.store.unreadable()]

    assert bad.why == "Desired is 'pause': 'pause' is not a valid Desired"

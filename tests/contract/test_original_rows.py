"""Rows as the original PyAnamo, its workers and its manager write them, on DynamoDB Local."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from harness.dynamodb import dynamo_store
from pyanamo_async.core.holding import unhold
from pyanamo_async.core.items import State, TaskState
from pyanamo_async.core.outcomes import Failed, Succeeded
from pyanamo_async.core.tags import tag_lines
from pyanamo_async.core.transitions import release_unused
from pyanamo_async.errors import Fenced
from pyanamo_async.operate.adopting import adopt
from pyanamo_async.store.dynamodb import DynamoStore
from tests.contract.steps import a_worker, claim, claim_one, listing, settled
from tests.damage import typed_row
from tests.fakes import NOON, an_item


class Original:
    """What the original does to a table, by the same requests."""

    def __init__(self, store: DynamoStore) -> None:
        self.client, self.table = store._table.client, store._table.name

    async def put(self, item_id: str, script: object = "true", **fields: object) -> None:
        """Put a row as its imports do, or as its workers leave it."""
        row: dict[str, Any] = {
            "itemID": item_id,
            "taskID": "sample",
            "TaskScript": script,
            "lockID": "NULL",
            "ItemState": "todo",
            "Lock_Date": "NULL",
            "Done_Date": "NULL",
            "Log": {},
            "Log_Length": 0,
            **fields,
        }
        await self.client.put_item(TableName=self.table, Item=typed_row(row))

    async def set(self, item_id: str, **fields: object) -> None:
        """Change attributes without a condition, as its manager does."""
        await self.client.update_item(
            TableName=self.table,
            Key={"itemID": {"S": item_id}},
            UpdateExpression="SET " + ", ".join(f"#{name} = :{name}" for name in fields),
            ExpressionAttributeNames={f"#{name}": name for name in fields},
            ExpressionAttributeValues={f":{name}": value for name, value in typed_row(dict(fields)).items()},
        )

    async def reset(self, item_id: str) -> None:
        """Put an item back as `reset_itemState` does."""
        nothing = dict.fromkeys(("lockID", "Lock_Date", "Done_Date", "InstanceID"), "NULL")
        await self.set(item_id, ItemState="todo", Log={}, Log_Length=0, **nothing)


@pytest.fixture
async def store(dynamodb_endpoint: str) -> AsyncIterator[DynamoStore]:
    async with dynamo_store(dynamodb_endpoint, shards=4) as store:
        yield store


@pytest.fixture
def original(store: DynamoStore) -> Original:
    return Original(store)


async def _nothing_is_due(store: DynamoStore) -> bool:
    return not await claim(store, limit=9) and await store.next_due(consistent=True) is None


async def test_what_the_original_parks_does_not_run(store: DynamoStore, original: Original) -> None:
    """Its manager sets `ItemState` alone: such an item is neither run nor buried, nor waited for; others are run."""
    await store.add([an_item(f"parked-{number}", priority=0) for number in range(120)])
    await store.add([an_item("good")])
    for number in range(120):
        await original.set(f"parked-{number}", ItemState="Pending")

    assert [item.item_id for item in await claim(store, limit=9)] == ["good"]
    assert await _nothing_is_due(store)
    assert await listing(store, state=State.TODO) == []
    row = await store._table.get("parked-0")
    assert row is not None
    assert (row["ItemState"], row["Queue"].partition("#")[0]) == ("Pending", "todo")


async def test_a_claim_of_what_was_parked_at_that_moment_is_lost(store: DynamoStore, original: Original) -> None:
    """The state is a condition of the claim itself: what the index still shows does not count."""
    await store.add([an_item("a")])
    pages = store._table.pages

    async def parked_meanwhile(query: dict[str, Any], **how: bool) -> AsyncIterator[dict[str, Any]]:
        async for page in pages(query, **how):
            await original.set("a", ItemState="Pending")
            yield page

    store._table.pages = parked_meanwhile  # type: ignore[method-assign, assignment]

    assert await store.claim("w", limit=1, now=NOON) == []
    row = await store._table.get("a")
    assert row is not None
    assert (row["ItemState"], row.get("lockID")) == ("Pending", None)


async def test_what_the_original_imports_is_adopted_and_runs(store: DynamoStore, original: Original) -> None:
    """Single and nested items, which have no place in the queue until then."""
    await original.put("single", "seq 3")
    tasks = {"Task_0": {"Status": "todo", "Script": "seq 1"}, "Task_1": {"Status": "todo", "Script": "seq 2"}}
    await original.put("nested", tasks, Nested_Tasks=2)
    assert await _nothing_is_due(store)

    seen = await adopt(store, locked=False, dry_run=True, now=NOON)
    assert (sorted(seen.item_ids), await _nothing_is_due(store)) == (["nested", "single"], True)
    result = await adopt(store, locked=False, dry_run=False, now=NOON)

    assert (result.adopted, result.complete) == (2, True)
    claimed = {item.item_id: item for item in await claim(store, limit=9)}
    assert [task.script for task in claimed["nested"].tasks] == ["seq 1", "seq 2"]
    assert len({item.mark for item in claimed.values()} - {""}) == 2
    for item in claimed.values():
        await store.save(item, settled(item))
    assert [bad async for bad in store.unreadable()] == []
    assert (await adopt(store, locked=False, dry_run=False, now=NOON)).adopted == 0


async def test_what_the_original_puts_back_is_adopted_and_runs_again(store: DynamoStore, original: Original) -> None:
    """Failed and done items of ours, with dates that say NULL; their attempts count on."""
    await store.add([an_item("failed", max_failures=1, mark="0000aaaa"), an_item("done")])
    for item in await claim(store, limit=2):
        await store.save(item, settled(item, Failed(exit_code=1) if item.item_id == "failed" else None))
    for item_id in ("failed", "done"):
        await original.reset(item_id)
    assert await _nothing_is_due(store)

    assert (await adopt(store, locked=False, dry_run=False, now=NOON)).adopted == 2

    claimed = {item.item_id: item for item in await claim(store, limit=9)}
    assert {"failed", "done"} == claimed.keys()
    assert {item.attempt for item in claimed.values()} == {2}
    assert (claimed["failed"].mark, claimed["failed"].failures) == ("0000aaaa", 0)


async def test_what_the_original_parked_is_held_and_can_be_let_go(store: DynamoStore, original: Original) -> None:
    """As what it was before; what was done stays done."""
    await store.add([an_item("todo"), an_item("failed", max_failures=1), an_item("done")])
    for item in await claim(store, limit=3):
        if item.item_id == "todo":
            await store.save(item, release_unused(item))
        else:
            await store.save(item, settled(item, Failed(exit_code=1) if item.item_id == "failed" else None))
    await original.put("theirs", ItemState="Pending")
    for item_id in ("todo", "failed", "done"):
        await original.set(item_id, ItemState="Pending")

    assert (await adopt(store, locked=False, dry_run=False, now=NOON)).adopted == 4

    assert await _nothing_is_due(store)
    items = {item.item_id: item async for item in store.items()}
    assert {name: str(item.state) for name, item in items.items()} == {
        "todo": "Pending",
        "failed": "Pending",
        "done": "done",
        "theirs": "Pending",
    }
    let_go = {name: str(unhold(item).state) for name, item in items.items()}
    assert let_go == {"todo": "todo", "failed": "failed", "done": "done", "theirs": "todo"}
    assert [bad async for bad in store.unreadable()] == []


async def test_what_the_original_finished_reads_as_done(store: DynamoStore, original: Original) -> None:
    """With what it printed, wherever the original put it; what it could not start has failed."""
    done = {
        "ItemState": "done",
        "Log_Length": 2,
        "Lock_Date": "26/11/2026-15:30:24",
        "Done_Date": "26/11/2026-15:31:00",
        "lockID": "xyz",
        "InstanceID": "i-1",
    }
    await original.put("small", "seq 1", **done | {"Log": {"Status": "Done", "stdout": "1\n", "stderr": "oh\n"}})
    said = "Updated Cloudwatch /PyAnamo/table/s"
    await original.put("tags", "seq 2", **done | {"Log": {"Status": said, "stdout": "S1\t0.5\nS2", "stderr": ""}})
    moved = "Compressed active log to S3 = s3://bucket/PyAnamo/t/s.TaskLog.txt.gz"
    await original.put("large", "seq 3", **done | {"Log": {"Status": moved, "stdout": moved, "stderr": ""}})
    broken = {"Status": "Execution Failed", "stdout": "", "stderr": ""}
    await original.put("broken", "nosuch", **done | {"Done_Date": "Error-26/11/2026-15:31:00", "Log": broken})
    nested = {"Task_0": {"Status": "done", "Script": "a"}, "Task_1": {"Status": "todo", "Script": "b"}}
    log = {"Task_0": {"Status": "Done", "stdout": "a\n", "stderr": ""}}
    await original.put("half", nested, **done | {"ItemState": "Wall_Time_Exceeded", "Log": log, "Nested_Tasks": 2})

    assert (await adopt(store, locked=False, dry_run=False, now=NOON)).adopted == 5

    items = {item.item_id: item async for item in store.items()}
    records = {item_id: item.tasks[0].record for item_id, item in items.items()}
    outcomes = {item_id: record.outcome for item_id, record in records.items() if record}
    stdout = {item_id: record.stdout for item_id, record in records.items() if record}
    good = ("small", "tags", "large", "half")
    assert dict.fromkeys(good, Succeeded()) | {"broken": Failed(detail="Execution Failed")} == outcomes
    assert (stdout["small"].text, tag_lines(stdout["tags"])) == ("1\n", ("S1\t0.5", "S2"))
    assert stdout["large"].at == "s3://bucket/PyAnamo/t/s.TaskLog.txt.gz"
    states = {item_id: str(item.state) for item_id, item in items.items()}
    assert dict.fromkeys(good, "done") | {"broken": "failed", "half": "Wall_Time_Exceeded"} == states
    assert [task.state for task in items["half"].tasks] == [TaskState.DONE, TaskState.TODO]
    assert [bad async for bad in store.unreadable()] == []
    assert {each.since.isoformat() for each in await listing(store) if each.since} == {"2026-11-26T15:31:00+00:00"}


async def test_what_somebody_may_be_running_is_not_adopted(store: DynamoStore, original: Original) -> None:
    """Neither what the original locked, until a person says its workers are gone, nor what a living worker held."""
    await store.heartbeat(a_worker("living"))
    await store.add([an_item("ours")])
    held = await claim_one(store, "living")
    await original.reset("ours")
    await original.put("theirs", ItemState="locked", lockID="xyz", InstanceID="i-1", Lock_Date="26/11/2026-15:30:24")

    result = await adopt(store, locked=False, dry_run=False, now=NOON)
    assert (result.adopted, sorted(result.locked), result.complete) == (0, ["ours", "theirs"], False)
    assert await store.held("living") == [] == [each async for each in store.holders()]
    with pytest.raises(Fenced):
        await store.save(held, settled(held))

    await store.forget("living")
    result = await adopt(store, locked=True, dry_run=False, now=NOON)
    assert (result.adopted, result.locked) == (2, [])
    assert {"ours", "theirs"} == {item.item_id for item in await claim(store, limit=9)}


async def test_an_adoption_never_undoes_what_came_first(store: DynamoStore, original: Original) -> None:
    """The write requires the row as it was seen."""
    await original.put("a")
    seen = [bad async for bad in store.unreadable()]
    await original.set("a", ItemState="locked")

    async def as_it_was() -> AsyncIterator[Any]:
        for bad in seen:
            yield bad

    store.unreadable = as_it_was  # type: ignore[method-assign]
    result = await adopt(store, locked=False, dry_run=False, now=NOON)

    assert (result.adopted, result.fenced, result.complete) == (0, 1, False)

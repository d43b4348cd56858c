"""DynamoDB's own laws: what it costs, what it refuses, and what becomes of requests in bad weather."""

from __future__ import annotations

import asyncio
import math
import uuid
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

from harness.dynamodb import dynamo_client, dynamo_store
from pyanamo_async.core import transitions
from pyanamo_async.core.items import State
from pyanamo_async.core.outcomes import Failed, Succeeded
from pyanamo_async.core.output_tail import TAIL_BYTES, OutputTail, TailChunk, TaskRef
from pyanamo_async.core.queue_lanes import EVERYBODY
from pyanamo_async.core.stored.queue_key import queue_key, shard_of
from pyanamo_async.core.stored.record import encode
from pyanamo_async.core.stored.row_size import stored_bytes
from pyanamo_async.core.values import replace
from pyanamo_async.errors import Fenced, SchemaMismatch, StoreError, Unavailable
from pyanamo_async.ports import AddResult, Creation, Store
from pyanamo_async.store.dynamodb import DynamoStore, schema
from pyanamo_async.store.dynamodb.rows import Candidate, claiming, stored
from pyanamo_async.store.dynamodb.table import Reply
from pyanamo_async.store.dynamodb.writes import Update
from tests.contract.steps import POLICY, a_record, a_worker, claim, claim_one, settled
from tests.contract.weather import Call, CountsUnmet, LosesReplies, ThrottlesOne, Weather, sends_twice
from tests.fakes import NOON, an_item

if TYPE_CHECKING:
    from types_aiobotocore_dynamodb.client import DynamoDBClient


@pytest.fixture
async def client(dynamodb_endpoint: str) -> AsyncIterator[DynamoDBClient]:
    async with dynamo_client(dynamodb_endpoint) as client:
        yield client


@pytest.fixture
async def store(dynamodb_endpoint: str) -> AsyncIterator[DynamoStore]:
    async with dynamo_store(dynamodb_endpoint) as store:
        yield store


def another(store: DynamoStore, client: Any = None) -> DynamoStore:  # noqa: ANN401 # a client, or weather around it
    """A second store of the same table, by another client if given: another process."""
    return DynamoStore(store._table.name, client or store._table.client)


class TestCost:
    @pytest.fixture
    async def units(self, client: DynamoDBClient) -> list[tuple[str, float]]:
        """The write units of each request of the client, indexes included."""
        seen: list[tuple[str, float]] = []

        def ask(params: dict[str, Any], **_: object) -> None:
            params["ReturnConsumedCapacity"] = "TOTAL"

        def note(parsed: dict[str, Any], model: Any, **_: object) -> None:  # noqa: ANN401 # botocore's
            if "ConsumedCapacity" in parsed and model.name in {"PutItem", "UpdateItem"}:
                seen.append((model.name, parsed["ConsumedCapacity"]["CapacityUnits"]))

        client.meta.events.register("provide-client-params.dynamodb", ask)
        client.meta.events.register("after-call.dynamodb", note)
        return seen

    async def test_a_small_item_costs_eight_write_units_in_its_life(
        self, store: DynamoStore, client: DynamoDBClient, units: list[tuple[str, float]]
    ) -> None:
        """Two to import it, three to claim it, three to settle it, with its output in its row."""
        fresh = another(store, client)
        await fresh.add([an_item("sample-0001-align", script="bash align.sh sample-0001 --threads 4")])
        held = await claim_one(fresh, "job-3f6c1e5a-1:ab12cd34")
        await fresh.save(held, settled(held))

        assert units == [("PutItem", 2), ("UpdateItem", 3), ("UpdateItem", 3)]

    async def test_a_nested_item_costs_what_its_bytes_force(
        self, store: DynamoStore, client: DynamoDBClient, units: list[tuple[str, float]]
    ) -> None:
        """A write is charged by the started kilobytes of the row, before or after, and one or two for the index."""
        fresh = another(store, client)
        item = an_item("nested", nested=[f"bash step.sh {number}" for number in range(10)])
        await fresh.add([item])
        held = await claim_one(fresh)
        done = settled(held)
        await fresh.save(held, done)

        def base(each: Any) -> int:  # noqa: ANN401 # an item
            row = stored(each, shards=4, tiebreak="00000000")
            return math.ceil(sum(len(name.encode()) + stored_bytes(value) for name, value in row.items()) / 1024)

        assert [cost for _, cost in units] == [base(item) + 1, base(held) + 2, base(done) + 2]

    async def test_a_heartbeat_costs_three(
        self, store: DynamoStore, client: DynamoDBClient, units: list[tuple[str, float]]
    ) -> None:
        """However many items the worker holds."""
        fresh = another(store, client)
        await fresh.heartbeat(a_worker("w1"))
        await fresh.heartbeat(a_worker("w1", heartbeat=NOON + timedelta(seconds=20)))

        assert units == [("UpdateItem", 2), ("UpdateItem", 3)]

    async def test_publishing_costs_what_is_shown(
        self, store: DynamoStore, client: DynamoDBClient, units: list[tuple[str, float]]
    ) -> None:
        """A unit for each KB of text, however large the item."""
        task, fresh = TaskRef("a", "Task_0", 1), another(store, client)
        await fresh.add([an_item("a", script="x" * 100_000)])
        await fresh.heartbeat(a_worker("w1"))
        await fresh.follow("w1", task, until=NOON + timedelta(minutes=2))
        units.clear()

        await fresh.publish(task, OutputTail(TailChunk(b"few words", 9)), now=NOON)
        await fresh.publish(task, OutputTail(TailChunk(b"x" * TAIL_BYTES, TAIL_BYTES)), now=NOON)

        assert units == [("UpdateItem", 1), ("UpdateItem", TAIL_BYTES // 1024 + 1)]

    async def test_an_announcement_costs_one_and_hearing_of_it_half_of_one(
        self, store: DynamoStore, client: DynamoDBClient, units: list[tuple[str, float]]
    ) -> None:
        """It is in no index; and what nobody announces is not heard."""
        await store.notify(now=NOON - timedelta(minutes=1))
        fresh, reads = another(store, client), list[float]()
        await fresh.existing([])  # opens the table
        client.meta.events.register(
            "after-call.dynamodb.GetItem",
            lambda parsed, **_: reads.append(parsed["ConsumedCapacity"]["CapacityUnits"]),
        )

        assert not await fresh.notifications(now=NOON)
        await another(store, client).notify(now=NOON)
        assert [await fresh.notifications(now=NOON) for _ in "ab"] == [True, False]
        assert not await fresh.notifications(now=NOON, consistent=True)
        assert units == [("UpdateItem", 1)]
        assert sorted(reads) == [0.5, 0.5, 0.5, 1, 1]  # one opens the other's table


async def test_what_came_just_before_a_store_looked_is_heard_of(store: DynamoStore) -> None:
    """An index that lags showed it nothing."""
    await store.notify(now=NOON - timedelta(seconds=5))

    assert [await another(store).notifications(now=NOON) for _ in "ab"] == [True, True]
    fresh = another(store)
    assert [await fresh.notifications(now=NOON) for _ in "ab"] == [True, False]


async def test_an_announcement_that_is_refused_troubles_nobody(store: DynamoStore) -> None:
    """Who may insert items and update none, or is throttled, has imported them all the same."""

    async def refuse(_: Call, name: str, __: dict[str, Any]) -> None:
        raise ClientError({"Error": {"Code": "AccessDeniedException", "Message": "no"}}, name)

    refused = another(store, Weather(store._table.client, refuse, "update_item"))
    await store.existing([])
    await refused.notify(now=NOON)

    assert not await store.notifications(now=NOON)


class TestClaims:
    async def test_a_claim_is_what_the_rules_say(self, store: DynamoStore) -> None:
        """The item as its own write returned it is the item that `core.transitions.claim` makes of it."""
        before = an_item("a", attempt=4, not_before=NOON, history=("attempt 4: exit status 1",), priority=2)
        await store.add([before])

        after = await claim_one(store)

        assert after == transitions.claim(before, worker="w1", token=after.token, now=NOON)
        assert after == await store.read("a")

    async def test_fifty_claimers_share_without_loss(self, store: DynamoStore) -> None:
        """However many contend for the same pages, each item has exactly one winner."""
        names = [f"item-{number}" for number in range(60)]
        await store.add([an_item(name) for name in names])

        async def work(number: int) -> list[str]:
            return [item.item_id for item in await claim(another(store), f"w{number}", limit=len(names))]

        won = await asyncio.gather(*(work(number) for number in range(50)))

        assert sorted(names) == sorted(name for each in won for name in each)

    async def test_many_claimers_of_one_store_do_not_lose_to_each_other(self, store: DynamoStore) -> None:
        """Candidates are handed out once: what one tries, the others do not."""
        await store.add([an_item(f"item-{number}") for number in range(60)])

        lost = CountsUnmet()
        one = another(store, Weather(store._table.client, lost, "update_item", "batch_execute_statement"))

        won = await asyncio.gather(*(claim(one, f"w{number}", limit=3) for number in range(20)))

        assert len({item.item_id for each in won for item in each}) == 60
        assert lost.unmet == 0

    async def test_a_claim_without_an_answer_is_known_of_beside_others_that_were_won(
        self, store: DynamoStore, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The call returns what was won; who claims no more has to look for the rest."""
        shards = (await store.describe()).shards
        first, second = [name for name in map(str, range(100)) if shard_of(name, shards) == 0][:2]
        await store.add([an_item(first), an_item(second)])
        save = store._table.save

        async def save_unheard(write: Update) -> Reply:
            reply = await save(write)
            if write.key == second:
                raise Unavailable("no reply")
            return reply

        monkeypatch.setattr(store._table, "save", save_unheard)
        [won] = await store.claim("w1", limit=2, now=NOON)
        assert (won.item_id, store.has_unanswered_claims) == (first, True)

        monkeypatch.undo()
        [found] = await store.claim("w1", limit=1, now=NOON)
        assert (found.item_id, store.has_unanswered_claims) == (second, False)

    async def test_a_stale_hint_loses_cleanly(self, store: DynamoStore) -> None:
        """What the index still shows, and somebody else has, is neither claimed nor changed."""
        await store.add([an_item("a")])
        shards = (await store.describe()).shards
        cache = (await store._open()).claimer._caches.of((State.TODO, EVERYBODY))
        held = await claim_one(another(store), "other")
        stale = Candidate("a", f"todo#{shard_of('a', shards)}", "05ffffffff", 0, "token")
        cache.add_hints([stale], now_s=asyncio.get_running_loop().time())

        assert await store.claim("w1", limit=1, now=NOON) == []
        assert await store.read("a") == held

    async def test_an_item_that_came_back_has_another_place(self, store: DynamoStore) -> None:
        """Though it is due at the very same time: who saw it before its last attempt loses."""
        later = NOON + timedelta(seconds=5)
        await store.add([an_item("a", attempt=7, not_before=later)])
        shards = (await store.describe()).shards
        place = queue_key(await store.read("a"), "0badcafe")
        seen = Candidate("a", f"todo#{shard_of('a', shards)}", place, 6, "token")

        [reply] = await store._table.send([claiming(seen, worker="w1", now=later)])

        assert not isinstance(reply, Exception)
        assert not reply.met

    async def test_a_deep_queue_is_entered_anywhere(self, client: DynamoDBClient) -> None:
        """Two workers that come at once do not read the same page, and better priorities still go first."""
        table = f"table-{uuid.uuid4().hex}"
        deep = DynamoStore(table, client)
        await deep.create(shards=1)
        await deep.add([an_item(f"item-{number}") for number in range(400)])
        await deep.add([an_item(f"worse-{number}", priority=6) for number in range(40)])

        pages = [await claim(another(deep), f"w{number}", limit=5) for number in range(8)]

        assert all(item.priority == 5 for page in pages for item in page)
        keys = [min(item.item_id for item in page) for page in pages]
        assert len(set(keys)) == 8
        await deep.drop()

    @pytest.mark.parametrize("count", [1, 3])
    async def test_a_claim_whose_reply_was_lost_is_found_when_asked_again(
        self, store: DynamoStore, client: DynamoDBClient, count: int
    ) -> None:
        """Alone or in a batch, the items are locked, nobody knows, and the next claim of this worker brings them."""
        await store.add([an_item(f"item-{number}") for number in range(count)])
        losing = LosesReplies(1)
        weather = Weather(client, losing, "update_item", "batch_execute_statement")
        shaken = another(store, weather)
        with pytest.raises(Unavailable):
            await shaken.claim("w1", limit=count, now=NOON)
        assert (await store.counts()).items[State.LOCKED] > 0

        registered = await claim(another(store), "w2", limit=count)
        own = await shaken.claim("w1", limit=count, now=NOON)

        assert len(own) + len(registered) == count
        assert [await store.read(item.item_id) for item in own] == own
        assert {item.worker for item in own} == {"w1"}

    @pytest.mark.parametrize("count", [1, 3])
    async def test_a_claim_that_was_sent_twice_is_won_once(
        self, store: DynamoStore, client: DynamoDBClient, count: int
    ) -> None:
        """The second sending finds the token of the first, with or without the row in the reply."""
        await store.add([an_item(f"item-{number}") for number in range(count)])
        twice = another(store, Weather(client, sends_twice, "update_item", "batch_execute_statement"))

        won = await claim(twice, limit=count)

        assert len(won) == count
        assert {item.attempt for item in won} == {1}
        assert [await store.read(item.item_id) for item in won] == won

    async def test_what_was_won_is_returned_although_another_was_throttled(
        self, store: DynamoStore, client: DynamoDBClient
    ) -> None:
        """A throttled statement costs its own item the time, and nobody else anything."""
        await store.add([an_item(f"item-{number}") for number in range(8)])
        shaken = another(store, Weather(client, ThrottlesOne(), "batch_execute_statement"))

        won = await claim(shaken, limit=8)

        assert len({item.item_id for item in won}) == 8


class TestSaves:
    async def test_saves_that_are_ready_together_travel_together_and_fail_alone(self, store: DynamoStore) -> None:
        """Nine of ten are written, and the tenth is told that its item is no longer its own."""
        await store.add([an_item(f"item-{number}") for number in range(10)])
        held = await claim(store, limit=10)
        await store.save(held[3], transitions.reclaim(held[3], now=NOON, policy=POLICY))

        results = await asyncio.gather(*(store.save(item, settled(item)) for item in held), return_exceptions=True)

        assert [type(result) for result in results if result is not None] == [Fenced]
        assert isinstance(results[3], Fenced)
        assert (await store.counts()).items[State.DONE] == 9

    @pytest.mark.parametrize("count", [1, 3])
    async def test_a_save_that_was_sent_twice_succeeds(
        self, store: DynamoStore, client: DynamoDBClient, count: int
    ) -> None:
        """The second sending finds its own state, attempt and token."""
        await store.add([an_item(f"item-{number}") for number in range(count)])
        twice = another(store, Weather(client, sends_twice, "update_item", "batch_execute_statement"))
        held = await claim(store, limit=count)

        await asyncio.gather(*(twice.save(item, settled(item)) for item in held))

        assert [await store.read(item.item_id) for item in held] == [settled(item) for item in held]

    async def test_a_removal_that_was_sent_twice_succeeds(self, store: DynamoStore, client: DynamoDBClient) -> None:
        """That it is gone is what was asked for, when an earlier sending may have done it."""
        await store.add([an_item("a")])
        twice = another(store, Weather(client, sends_twice, "delete_item"))

        await twice.remove(await store.read("a"))

        assert await store.existing(["a"]) == set()

    async def test_a_throttled_save_is_unavailable_for_its_caller_alone(
        self, store: DynamoStore, client: DynamoDBClient
    ) -> None:
        """The others are written; the one may be sent again as it is."""
        await store.add([an_item(f"item-{number}") for number in range(4)])
        held = await claim(store, limit=4)
        shaken = another(store, Weather(client, ThrottlesOne(at=2), "batch_execute_statement"))
        await shaken.describe()  # so that all are ready at once

        results = await asyncio.gather(*(shaken.save(item, settled(item)) for item in held), return_exceptions=True)
        [at] = [number for number, result in enumerate(results) if isinstance(result, Unavailable)]
        assert results.count(None) == 3
        await shaken.save(held[at], settled(held[at]))

        assert (await store.counts()).items[State.DONE] == 4

    async def test_an_item_that_outgrew_dynamodb_fails_alone_and_says_so(self, store: DynamoStore) -> None:
        """The error names the limit and the way out; the others of the batch are written."""
        await store.add([an_item("a", script="x" * 390_000), an_item("b")])
        held = {item.item_id: item for item in await claim(store, limit=2)}
        grown = replace(settled(held["a"]), reason="y" * 20_000)

        results = await asyncio.gather(
            store.save(held["a"], grown), store.save(held["b"], settled(held["b"])), return_exceptions=True
        )

        assert isinstance(results[0], StoreError)
        assert "400 KB" in results[0].hint
        assert results[1] is None

    async def test_progress_of_tasks_meets_in_one_item(self, store: DynamoStore) -> None:
        """Members of the maps of a nested item are written one by one, and read back as one item."""
        await store.add([an_item("a", nested=["true"] * 30)])
        item = await claim_one(store)
        for number in range(0, 30, 7):
            outcome = Succeeded() if number % 2 else Failed(exit_code=number)
            results = {f"Task_{number}": a_record(outcome, item)}
            after = transitions.record(item, results, policy=POLICY)
            await store.save(item, after)
            item = after

        assert await store.read("a") == item


class TestAdding:
    async def test_throttled_inserts_are_sent_again(self, store: DynamoStore, client: DynamoDBClient) -> None:
        """All of a batch is added although the table pushed one back."""
        shaken = another(store, Weather(client, ThrottlesOne(at=7), "batch_execute_statement"))

        results = await shaken.add([an_item(f"item-{number}") for number in range(20)])

        assert results == [AddResult.ADDED] * 20
        assert (await store.counts()).total == 20

    async def test_an_import_whose_reply_was_lost_goes_on(self, store: DynamoStore, client: DynamoDBClient) -> None:
        """What arrived is skipped when it is sent again; nothing is written twice."""
        shaken = another(store, Weather(client, LosesReplies(1), "batch_execute_statement"))

        results = await shaken.add([an_item(f"item-{number}") for number in range(20)])

        assert results == [AddResult.SKIPPED] * 20
        assert (await store.counts()).total == 20

    async def test_the_same_item_twice_in_one_call_is_added_once(self, store: DynamoStore) -> None:
        """DynamoDB refuses a batch that names a row twice; we do not."""
        assert await store.add([an_item("a"), an_item("b"), an_item("a")]) == [
            AddResult.ADDED,
            AddResult.ADDED,
            AddResult.SKIPPED,
        ]


class TestSchema:
    @pytest.fixture
    async def name(self, client: DynamoDBClient) -> AsyncIterator[str]:
        """The name of a table that the test creates."""
        name = f"table-{uuid.uuid4().hex}"
        yield name
        await client.delete_table(TableName=name)

    async def _refused(self, store: Store) -> None:
        for call in (store.counts(), store.describe(), store.claim("w1", limit=1, now=NOON), store.create(shards=1)):
            with pytest.raises(SchemaMismatch, match="table 'table-"):
                await call

    async def test_a_table_with_another_key_is_not_ours(self, client: DynamoDBClient, name: str) -> None:
        """It is refused by every method, with its name."""
        request = schema.creation(name)
        request["KeySchema"] = [{"AttributeName": "taskID", "KeyType": "HASH"}]
        request["AttributeDefinitions"][2]["AttributeName"] = "taskID"
        await client.create_table(**request)

        await self._refused(DynamoStore(name, client))

    async def test_a_table_without_the_queue_index_is_not_ours(self, client: DynamoDBClient, name: str) -> None:
        """Nor is one whose index has another name."""
        request = schema.creation(name)
        request["GlobalSecondaryIndexes"][0]["IndexName"] = "Other"
        await client.create_table(**request)

        await self._refused(DynamoStore(name, client))

    async def test_a_table_with_rows_and_no_table_row_is_not_ours(self, client: DynamoDBClient, name: str) -> None:
        """Somebody else's data is left alone, whatever its indexes."""
        await client.create_table(**schema.creation(name))
        await client.put_item(TableName=name, Item={"itemID": {"S": "theirs"}})

        await self._refused(DynamoStore(name, client))

    async def test_a_table_of_another_version_is_not_ours(self, client: DynamoDBClient, name: str) -> None:
        """Neither older nor newer."""
        await client.create_table(**schema.creation(name))
        row = {"itemID": {"S": "#table"}, "Shards": {"N": "4"}, "Schema_Version": {"N": "1"}}
        await client.put_item(TableName=name, Item=row)

        await self._refused(DynamoStore(name, client))

    async def test_a_creation_that_was_cut_off_is_completed(self, client: DynamoDBClient, name: str) -> None:
        """A table of ours that has no row yet, and holds nothing, gets it."""
        await client.create_table(**schema.creation(name))
        store = DynamoStore(name, client)

        assert await store.create(shards=7) is Creation.COMPLETED
        assert (await store.describe()).shards == 7

    async def test_a_row_of_ours_is_no_item(self, store: DynamoStore) -> None:
        """The table's and the workers' rows are in no listing, no count and cannot be claimed."""
        await store.heartbeat(a_worker("w1"))

        assert (await store.counts()).total == 0
        assert [line async for line in store.summaries()] == []
        assert await store.next_due() is None

    async def test_the_index_projects_what_listings_need_and_no_more(self, store: DynamoStore) -> None:
        """A row of the index stays within one write unit, whatever the item holds."""
        described = await store.describe()
        item = an_item(
            "x" * 64,
            reason="r" * 160,
            crashes=5,
            interruptions=5,
            seconds_lost=12345.678,
            seconds_saved=12345.678,
            cpus=64,
        )
        sized = sum(stored_bytes(value) for value in encode(item).values())

        assert described.indexes[0].projection == (
            "taskID, ItemState, Nested_Tasks, Log_Length, Attempt, "
            "Failures, Crashes, Interruptions, Seconds_Lost, Seconds_Saved, Cpus, Reason"
        )
        assert described.billing == "on demand"
        assert sized < 1024

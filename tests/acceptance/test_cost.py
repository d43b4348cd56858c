"""What an item costs from import to done, by a real worker on DynamoDB Local, in the units that its replies tell."""

from __future__ import annotations

import json
import math
import uuid
from collections import defaultdict
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from harness.dynamodb import dynamo_client
from pyanamo_async.app.bootstrap import exit_status, work
from pyanamo_async.app.identity import who
from pyanamo_async.app.settings import WorkerSettings, make_settings
from pyanamo_async.core.items import Item
from pyanamo_async.core.stored.row_size import stored_bytes
from pyanamo_async.outputs.memory import MemoryObjects, MemoryOutputs
from pyanamo_async.store.dynamodb import DynamoStore
from simulation.crew import Notes
from tests.fakes import an_item

if TYPE_CHECKING:
    from types_aiobotocore_dynamodb.client import DynamoDBClient

KB = 1024


class Table:
    """A table on DynamoDB Local, and the write units of each request for each of its items, indexes included."""

    def __init__(self, client: DynamoDBClient) -> None:
        self.name = f"table-{uuid.uuid4().hex}"
        self.client = client
        self.store = DynamoStore(self.name, client)
        self.units: defaultdict[str, list[float]] = defaultdict(list)
        client.meta.events.register("provide-client-params.dynamodb", self._ask)
        client.meta.events.register("before-call.dynamodb", self._sent)
        client.meta.events.register("after-call.dynamodb", self._answered)

    async def run(self, item: Item, *, nests: int = 1) -> list[float]:
        """Import an item, let a worker work until nothing is left, and tell what each write of it cost."""
        await self.store.add([item])
        where = make_settings(table=self.name, bucket="unused")
        how = replace(where, running=WorkerSettings(items=1, nests=nests))
        summary = await work(
            how, who(), store=self.store, outputs=MemoryOutputs(), objects=MemoryObjects(), event_log=Notes()
        )
        assert exit_status(summary, exit_zero=False) == 0
        return self.units[item.item_id]

    async def row_kb(self, item_id: str) -> int:
        """Count the started kilobytes of an item's row as it stands, by the formula of `core.size`."""
        row = await self.store._table.get(item_id)
        assert row is not None
        return math.ceil(sum(len(name.encode()) + stored_bytes(value) for name, value in row.items()) / KB)

    def _ask(self, params: dict[str, Any], model: Any, **_: object) -> None:  # noqa: ANN401 # botocore's
        if model.name in {"PutItem", "UpdateItem"}:
            params["ReturnConsumedCapacity"] = "TOTAL"

    def _sent(self, params: dict[str, Any], context: dict[str, Any], **_: object) -> None:
        asked = json.loads(params["body"])
        context["item"] = (asked.get("Key") or asked.get("Item") or {}).get("itemID", {}).get("S", "")

    def _answered(self, parsed: dict[str, Any], context: dict[str, Any], **_: object) -> None:
        if "ConsumedCapacity" in parsed:
            self.units[context["item"]].append(parsed["ConsumedCapacity"]["CapacityUnits"])


@pytest.fixture
async def table(dynamodb_endpoint: str) -> AsyncIterator[Table]:
    """A table of 16 shards, by a client of its own."""
    async with dynamo_client(dynamodb_endpoint) as client:
        table = Table(client)
        await table.store.create(shards=16)
        yield table
        await table.store.drop()
        await table.store.close()


async def test_a_small_item_costs_eight_write_units_from_import_to_done(table: Table) -> None:
    """Two to import it, three to claim it, three to settle it, with what it printed in its row."""
    assert await table.run(an_item("sample-0001-align", script="echo aligned 1,234,567 reads")) == [2, 3, 3]


async def test_a_nested_item_of_ten_tasks_costs_eight_and_what_its_bytes_force(table: Table) -> None:
    """Tasks that end together are one write: each started KB of the row beyond the first costs one, and that is all."""
    scripts = [f"echo aligned chromosome {number}" for number in range(10)]
    imported, claimed, settled = await table.run(an_item("nested", nested=scripts), nests=10)

    row_kb = await table.row_kb("nested")
    assert 1 < row_kb <= 4
    assert (imported, claimed) == (2, 3)
    assert settled == 3 + (row_kb - 1)
    assert imported + claimed + settled == 8 + (row_kb - 1)


async def test_tasks_that_take_their_time_cost_a_write_a_second_at_most(table: Table) -> None:
    """Progress that must survive the worker is written while others run: the row again, and its line in listings."""
    imported, claimed, *progress, settled = await table.run(an_item("slow", nested=["sleep 0.3"] * 10))

    row_kb = await table.row_kb("slow")
    assert (imported, claimed, settled) == (2, 3, 3 + (row_kb - 1))
    assert 1 <= len(progress) <= 4
    assert max(progress) <= row_kb + 1

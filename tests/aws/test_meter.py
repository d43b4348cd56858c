"""What requests cost is read from their replies."""

from __future__ import annotations

import uuid

import pytest
from botocore.exceptions import ClientError

from pyanamo_async.aws.meter import Meter
from pyanamo_async.aws.session import Aws
from pyanamo_async.ports import Units
from pyanamo_async.store.dynamodb import DynamoStore
from tests.fakes import an_item


@pytest.fixture(autouse=True)
def _servers(monkeypatch: pytest.MonkeyPatch, aws_env: dict[str, str]) -> None:
    for name, value in aws_env.items():
        monkeypatch.setenv(name, value)


async def test_units_of_all_clients_add_up() -> None:
    """Reads and writes, each with its indexes, of whichever client; managing the table costs nothing."""
    meter = Meter()
    async with Aws(meter=meter) as aws:
        store = DynamoStore(f"table-{uuid.uuid4().hex}", await aws.dynamodb(), await aws.urgent())
        await store.create(shards=1)
        await store.describe()  # reads the table's own row, once
        created = meter.units
        await store.add([an_item("a")])
        added = meter.units
        await store.remove(await store.read("a"))
        removed = meter.units
        await store.drop()

    assert created.unreported == 0
    assert added - created == Units(write=2)
    assert removed - added == Units(write=2, read=1)


async def test_what_an_answer_does_not_tell_is_known_to_be_missing() -> None:
    """A refusal says nothing of its cost, and DynamoDB Local nothing of a batch's."""
    meter = Meter()
    async with Aws(meter=meter) as aws:
        client = await aws.dynamodb()
        store = DynamoStore(f"table-{uuid.uuid4().hex}", client)
        await store.create(shards=1)
        before = meter.units
        await store.add([an_item("a"), an_item("b")])
        with pytest.raises(ClientError):
            await client.get_item(TableName="none", Key={"itemID": {"S": "a"}})
        await store.drop()

    assert (meter.units - before).unreported == 2


async def test_a_batch_that_tells_is_counted() -> None:
    """The service answers with a list, one entry for each table."""
    meter = Meter()
    model = type("Model", (), {"name": "BatchExecuteStatement"})
    meter._note({"ConsumedCapacity": [{"TableName": "t", "CapacityUnits": 6.0}]}, model)

    assert meter.units == Units(write=6)

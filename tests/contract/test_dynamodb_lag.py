"""What the store makes of an index that has not caught up with the table."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from harness.dynamodb import DynamoStore, dynamo_store
from pyanamo_async.core import transitions
from pyanamo_async.core.items import State
from pyanamo_async.core.outcomes import InterruptReason
from pyanamo_async.core.stored.queue_key import EPOCH
from pyanamo_async.core.values import replace
from tests.contract.weather import Call, Weather
from tests.fakes import NOON, an_item


@pytest.fixture
async def store(dynamodb_endpoint: str) -> AsyncIterator[DynamoStore]:
    """A store on a table of its own."""
    async with dynamo_store(dynamodb_endpoint) as store:
        yield store


async def _shows_nothing(real: Call, _: str, arguments: dict[str, Any]) -> Any:  # noqa: ANN401 # clients are made at run time
    answer = await real(**arguments)
    return answer | {"Items": [], "Count": 0}


async def test_what_was_just_put_back_is_due_although_the_index_does_not_show_it(store: DynamoStore) -> None:
    """Who gives an item back does not believe that nothing is left, or it would go home and leave it."""
    await store.add([an_item("x")])
    [claimed] = await store.claim("w", limit=1, now=NOON)
    store._table.client = Weather(store._table.client, _shows_nothing, "query")  # type: ignore[assignment] # stands for one

    assert await store.next_due() is None
    await store.save(claimed, transitions.release(claimed, InterruptReason.STOP))
    assert await store.next_due() == EPOCH
    assert await store.next_due(state=State.WALL_TIME_EXCEEDED) is None


async def test_who_looks_afresh_sees_what_another_put_back(store: DynamoStore) -> None:
    """What was empty a moment ago is believed to be, but not by a worker that is about to go home."""
    another = DynamoStore(store._table.name, store._table.client)
    await another.add([an_item("x")])
    [held] = await another.claim("w2", limit=1, now=NOON)

    assert await store.next_due(consistent=True) is None
    await another.save(held, transitions.release(held, InterruptReason.STOP))
    assert await store.next_due() is None
    assert await store.next_due(consistent=True) == EPOCH
    assert [item.item_id for item in await store.claim("w1", limit=1, now=NOON)] == ["x"]


async def test_an_item_that_moves_on_while_it_is_counted_is_counted_once(store: DynamoStore) -> None:
    """However often it moves: no status shows more items than the table has."""
    another = DynamoStore(store._table.name, store._table.client)
    await another.add([an_item("x")])

    async def moves_on(real: Call, _: str, arguments: dict[str, Any]) -> Any:  # noqa: ANN401
        answer = await real(**arguments)
        if answer["ScannedCount"]:
            for held in await another.claim("w", limit=1, now=NOON):
                await another.save(held, replace(held, state=State.DONE, done_at=NOON))
        return answer

    store._table.client = Weather(store._table.client, moves_on, "query")  # type: ignore[assignment] # stands for one

    assert (await store.counts()).total == 1
    assert (await store.counts()).items[State.DONE] == 1

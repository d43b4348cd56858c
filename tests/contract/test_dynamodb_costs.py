"""What counting costs on DynamoDB, by the meter."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator
from contextlib import aclosing
from datetime import timedelta

import pytest

from harness.dynamodb import DynamoStore, dynamo_client
from pyanamo_async.aws.meter import Meter
from pyanamo_async.fleet.membership import WorkerStatus
from pyanamo_async.operate.memory_use import MOST_ITEMS
from pyanamo_async.operate.status import status, watch
from pyanamo_async.operate.waiting import wait
from tests.contract.steps import claim, settled
from tests.fakes import NOON, FakeClock, an_item

ITEMS, LONG_NAME = 200, "s" * 1000  # few, but as many bytes as thousands have
SECOND = timedelta(seconds=1)


@pytest.fixture
async def metered(dynamodb_endpoint: str) -> AsyncIterator[tuple[DynamoStore, Meter]]:
    """A table in one shard that is large in the index, and a meter of its requests."""
    meter = Meter()
    async with dynamo_client(dynamodb_endpoint) as client:
        store = DynamoStore(f"table-{uuid.uuid4().hex}", client)
        await store.create(shards=1)
        await store.add([an_item(f"sample-{number:05}", sample=LONG_NAME) for number in range(ITEMS)])
        meter.attach(client)
        yield store, meter
        await store.drop()
        await store.close()


async def test_watching_reads_everything_once_and_then_what_moves(metered: tuple[DynamoStore, Meter]) -> None:
    """Looks in between cost what is running, and what was settled since the last count of everything."""
    store, meter = metered

    async def workers() -> list[WorkerStatus]:
        return []

    costs, done, read = [], [], 0.0
    clock = FakeClock()
    looks = watch(store, "t", workers, every=timedelta(microseconds=1), clock=clock, missed=lambda _: None)
    async with aclosing(looks):
        for _ in range(4):
            seen = await anext(looks)
            costs.append(meter.units.read - read)
            done.append(seen.counts.settled)
            for item in await claim(store, limit=5):
                await store.save(item, settled(item, now=NOON))
            read = meter.units.read

    assert done == [0, 5, 10, 15]
    assert max(costs[1:]) * 5 < costs[0]


async def test_how_fast_it_goes_costs_no_second_count(metered: tuple[DynamoStore, Meter]) -> None:
    """The items of the last minutes are counted with all others."""
    store, meter = metered
    for item in await claim(store, limit=50):
        await store.save(item, settled(item, now=NOON))
    before = meter.units.read
    await store.counts()
    plain, before = meter.units.read - before, meter.units.read

    await store.counts(since=[NOON - timedelta(hours=1), NOON - timedelta(minutes=5)])

    assert meter.units.read - before <= plain * 1.2 + 3


async def test_waiting_reads_next_to_nothing(metered: tuple[DynamoStore, Meter]) -> None:
    """As long as something is held; the count is taken at the end."""
    store, meter = metered
    await claim(store, limit=1)
    before = meter.units.read
    await store.counts()
    counted, before = meter.units.read - before, meter.units.read

    result = await wait(store, timeout=SECOND, index_lag=SECOND, clock=LateClock())

    assert result.left == ITEMS
    assert 0 < meter.units.read - before - counted < counted / 10


class LateClock(FakeClock):
    """Time that stands still for one look, and then is over."""

    def __init__(self) -> None:
        super().__init__()
        self._times = iter([0.0, 0.0])

    def monotonic(self) -> float:
        return next(self._times, 1e9)


async def test_a_scan_begins_with_a_small_page(metered: tuple[DynamoStore, Meter]) -> None:
    """Whoever looks for one match reads a small page first, not 1 MB; whoever reads on misses nothing."""
    store, meter = metered
    await store.add([an_item(f"more-{number:05}", sample=LONG_NAME) for number in range(ITEMS)])
    before = meter.units.read

    async for _ in store.items():
        break
    first = meter.units.read - before
    every = [item.item_id async for item in store.items()]

    assert first < (meter.units.read - before - first) * 0.6
    assert len(set(every)) == len(every) == 2 * ITEMS


async def test_what_tasks_used_of_memory_costs_a_few_rows(metered: tuple[DynamoStore, Meter]) -> None:
    """About a unit for each of those that are read, however many there are."""
    store, meter = metered
    for item in await claim(store, limit=ITEMS):
        await store.save(item, settled(item, now=NOON))
    before = meter.units.read
    await store.counts(since=[NOON - SECOND, NOON])
    counting, before = meter.units.read - before, meter.units.read

    seen = await status(store, "t", [], now=NOON)

    assert seen.memory is not None
    assert seen.memory.used.tasks == MOST_ITEMS
    assert meter.units.read - before <= counting + 1.2 * MOST_ITEMS + 10

"""Draining all workers when too many items are failed, on each store."""

from __future__ import annotations

from datetime import timedelta

import pytest

from pyanamo_async.core.halting import parse_failed_limit
from pyanamo_async.core.items import State
from pyanamo_async.core.outcomes import Failed
from pyanamo_async.core.workers import Desired, WorkerState
from pyanamo_async.fleet.failed_items import FailedItems
from pyanamo_async.host.clock import SystemClock
from pyanamo_async.ports import Store
from simulation.crew import FakeProcesses
from tests.contract.steps import a_worker, settled
from tests.fakes import NOON, an_item

OUTCOME = Failed(exit_code=1)


@pytest.mark.parametrize(
    ("limit", "reason"), [("4", "halted: 4 items are failed"), ("40%", "halted: 4 items of 10 are failed")]
)
async def test_the_limit_is_reached_with_so_many_failed_items_and_not_before(
    store: Store, limit: str, reason: str
) -> None:
    """A number, or a share of all items; then all workers that live are ordered to drain, and none that ended."""
    clock = SystemClock()
    failed = FailedItems(store, parse_failed_limit(limit), clock=clock, processes=FakeProcesses())
    await store.add([an_item(f"i{number}") for number in range(10)])
    now = store.service_time(now=clock.now())
    for name in ("w1", "w2"):
        await store.heartbeat(a_worker(name, heartbeat=now, lease=timedelta(minutes=3)))
    await store.heartbeat(a_worker("gone", heartbeat=now, lease=timedelta(minutes=3), state=WorkerState.ENDED))

    said = []
    for _ in range(4):
        said.append(await failed.too_many())
        [item] = await store.claim("w1", limit=1, now=NOON)
        after = settled(item, OUTCOME)
        while after.state is not State.FAILED:
            after = settled(after, OUTCOME)
        await store.save(item, after)
    said.append(await failed.too_many())
    await failed.drain_all()

    assert said == ["", "", "", "", reason]
    assert {each.worker_id: each.desired for each in await store.workers()} == {
        "w1": Desired.DRAIN,
        "w2": Desired.DRAIN,
        "gone": Desired.RUN,
    }

"""Items that only waited for room in a worker that died are put back as they were; the others are charged."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta

import pytest

from pyanamo_async.core.failure_policy import FailurePolicy
from pyanamo_async.core.items import State
from pyanamo_async.core.memory.room_wait import RoomWait
from pyanamo_async.core.outcomes import Succeeded
from pyanamo_async.core.values import replace
from pyanamo_async.core.workers import UNREACHABLE, Worker, WorkerState
from pyanamo_async.errors import Fenced
from pyanamo_async.fleet.reclaim import reclaim_from, reclaim_held
from pyanamo_async.ports import Store
from simulation.crew import FakeProcesses
from tests.contract.steps import a_worker, claim, claim_one, settled
from tests.fakes import NOON, an_item

POLICY = FailurePolicy(crash_limit=1)
SECOND = timedelta(seconds=1)


async def _take_over(store: Store, dead: Worker) -> dict[str, int]:
    """Take over what a worker held, whether it says that it ended or died."""
    if dead.state is WorkerState.ENDED:
        return dict(await reclaim_held(store, [dead.worker_id], now=NOON, policy=POLICY))
    return dict(await reclaim_from(store, dead, now=NOON, policy=POLICY, processes=FakeProcesses()) or {})


@pytest.mark.parametrize("state", [WorkerState.RUNNING, WorkerState.ENDED])
async def test_what_only_waited_is_put_back_as_it_was(store: Store, state: WorkerState) -> None:
    """Its need, its evictions and its crashes are unchanged, and others find it at once; what ran is charged."""
    await store.leave_last_attempts(1)
    await store.add([an_item("waits", nested=("true", "true"), memory_need_bytes=2**33, evictions=1), an_item("runs")])
    held = {item.item_id: item for item in await claim(store, "dead", limit=2)}
    row = a_worker("dead", state=state, stopped_by=UNREACHABLE, waiting=RoomWait(held["waits"].token))
    await store.heartbeat(row)

    taken = await _take_over(store, row)

    waited, ran = await store.read("waits"), await store.read("runs")
    assert waited == replace(held["waits"], state=State.TODO, token="", reason=waited.reason)
    assert "vanished while it waited there for room" in waited.reason
    assert (ran.crashes + ran.interruptions, ran.evictions) == (1, 1)
    assert Counter([waited.state, ran.state, "waited"]) == taken
    assert "waits" in [item.item_id for item in await claim(store, "next", limit=2)]


async def test_only_the_claim_that_is_named_waited(store: Store) -> None:
    """An item that was put back and claimed again by the same worker may have started since, as any that is unnamed."""
    await store.add([an_item("a")])
    first = await claim_one(store, "dead")
    await store.save(first, replace(first, state=State.TODO))
    await claim_one(store, "dead")
    row = a_worker("dead", waiting=RoomWait(first.token))
    await store.heartbeat(row)

    assert await _take_over(store, row) == {"failed": 1}


async def test_a_worker_that_is_alive_after_all_cannot_start_what_was_put_back(store: Store) -> None:
    """Its next heartbeat is refused, without which it starts nothing that was named, and so is what it writes."""
    await store.add([an_item("a")])
    claimed = await claim_one(store, "dead")
    row = a_worker("dead", waiting=RoomWait(claimed.token))
    await store.heartbeat(row)
    await _take_over(store, row)

    with pytest.raises(Fenced):
        await store.heartbeat(a_worker("dead", heartbeat=NOON + SECOND), registered=True)
    with pytest.raises(Fenced):
        await store.save(claimed, settled(claimed, Succeeded()))


async def test_what_started_after_the_heartbeat_that_was_seen_is_not_let_off(store: Store) -> None:
    """Whoever saw an older heartbeat, which named it, does not mark its worker dead."""
    await store.add([an_item("a")])
    claimed = await claim_one(store, "alive")
    seen = a_worker("alive", waiting=RoomWait(claimed.token))
    await store.heartbeat(seen)
    await store.heartbeat(a_worker("alive", heartbeat=NOON + SECOND), registered=True)

    assert await _take_over(store, seen) == {}
    assert await store.read("a") == claimed


async def test_the_reply_tells_whether_a_heartbeat_was_written(store: Store) -> None:
    """One that comes after a later one is answered, but others go on reading the later one."""
    assert (await store.heartbeat(a_worker("w1", heartbeat=NOON + SECOND))).written
    assert not (await store.heartbeat(a_worker("w1"), registered=True)).written
    assert (await store.heartbeat(a_worker("w1", heartbeat=NOON + 2 * SECOND), registered=True)).written
    behind_by_far = NOON - timedelta(hours=1)
    assert (await store.heartbeat(a_worker("w1", heartbeat=behind_by_far), registered=True)).written

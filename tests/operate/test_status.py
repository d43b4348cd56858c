"""Looking at a table, once and again and again."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Sequence
from contextlib import aclosing
from datetime import datetime, timedelta

import pytest

from pyanamo_async.core.counts import Counts, Quarter
from pyanamo_async.core.holding import hold
from pyanamo_async.core.items import Item, State, TaskRecord
from pyanamo_async.core.memory.room_wait import RoomWait
from pyanamo_async.core.memory.use import Asked, MemoryUse, Peaks, Reserved
from pyanamo_async.core.pace import Pace
from pyanamo_async.core.platforms import Platform
from pyanamo_async.core.queue_lanes import LAST_ATTEMPTS, Lane, OutOfReach, WorkerKind
from pyanamo_async.core.text.byte_sizes import GIB
from pyanamo_async.core.values import replace
from pyanamo_async.core.workers import ProcessStatus, Worker, WorkerState
from pyanamo_async.errors import Denied, Unavailable
from pyanamo_async.fleet.membership import WorkerCondition, WorkerStatus, list_workers
from pyanamo_async.operate.memory_use import MOST_ITEMS
from pyanamo_async.operate.reporting.collect import Collected
from pyanamo_async.operate.status import OVERLAP, RECOUNT, nested_items, status, watch
from pyanamo_async.store.memory import MemoryStore
from simulation.crew import FakeProcesses
from tests.contract.steps import claim, settled
from tests.fakes import NOON, FakeClock, an_item

SECOND, MINUTE = timedelta(seconds=1), timedelta(minutes=1)
LEASE = timedelta(seconds=60)


class CountedStore(MemoryStore):
    """A table in memory that knows how often it was counted, and that can be away."""

    def __init__(self) -> None:
        super().__init__()
        self.calls = Counter[str]()
        self.is_away = False

    async def counts(self, *, since: Sequence[datetime] = ()) -> Counts:
        self.calls["counts"] += 1
        if self.is_away:
            raise Unavailable("away")
        return await super().counts(since=since)

    async def moving_counts(self, *, since: datetime) -> Counts:
        self.calls["moving"] += 1
        if self.is_away:
            raise Unavailable("away")
        return await super().moving_counts(since=since)


@pytest.fixture
async def store() -> CountedStore:
    """A fresh table."""
    store = CountedStore()
    await store.create(shards=1)
    return store


def a_worker(worker_id: str = "w", *, seconds: int = 10, **fields: object) -> WorkerStatus:
    """Make a worker that lives, and has for so long."""
    row = Worker(worker_id, "h", NOON - seconds * SECOND, NOON, LEASE)
    return WorkerStatus(replace(row, **fields), WorkerCondition.ALIVE)  # type: ignore[arg-type]


async def settle(store: MemoryStore, number: int, *, at: datetime) -> None:
    """Have so many items done at a time."""
    for item in await claim(store, limit=number):
        await store.save(item, settled(item, now=at))


async def test_status_counts_items_and_living_workers(store: CountedStore) -> None:
    """Workers that said goodbye, fell silent or died move nothing any more."""
    await store.add([an_item("a"), an_item("b"), an_item("c")])
    await store.claim("w", limit=1, now=NOON)
    living = Worker("living", "h", NOON - timedelta(seconds=10), NOON, LEASE, done=5, running=1, slots=8)
    silent = replace(living, worker_id="silent", heartbeat=NOON - timedelta(hours=1), started=NOON - timedelta(hours=2))
    others = [replace(living, worker_id="gone", state=WorkerState.ENDED), replace(living, worker_id="died")]
    for worker in (living, silent, *others):
        await store.heartbeat(worker)

    def process_status(worker: Worker) -> ProcessStatus:
        return ProcessStatus.DIED if worker.worker_id == "died" else ProcessStatus.UNKNOWN

    workers = await list_workers(store, now=NOON, processes=FakeProcesses(process_status))
    seen = await status(store, "sqlite:x.db", workers, now=NOON)

    assert (seen.table, seen.counts.items[State.TODO], seen.counts.items[State.LOCKED]) == ("sqlite:x.db", 2, 1)
    assert (seen.workers, seen.running, seen.slots, seen.items_per_second) == (1, 1, 8, 0.5)
    assert seen.time_left
    assert seen.time_left.likely == timedelta(seconds=6)


async def test_status_tells_what_no_living_worker_has_the_memory_for(store: CountedStore) -> None:
    """With what the items need themselves, by class: what one of the workers takes, it will do."""
    needs = (0, 0), (16, 13), (64, 50), (64, 55)
    await store.add([an_item(f"{need}", memory_class=each, memory_bytes=need * GIB or None) for each, need in needs])
    small = a_worker(platform=Platform(budget_bytes=16 * GIB))
    large = OutOfReach(Lane(64), 2, 2, 50 * GIB, 55 * GIB)

    assert (await status(store, "t", [small], now=NOON)).out_of_reach == (large,)
    assert (await status(store, "t", [], now=NOON)).out_of_reach == (
        OutOfReach(Lane(16), 1, 1, 13 * GIB, 13 * GIB),
        large,
    )
    assert (await status(store, "t", [small, a_worker("unknown")], now=NOON)).out_of_reach == ()


async def test_what_no_living_worker_takes_takes_no_time(store: CountedStore) -> None:
    """It does not run at any pace; what else is left does."""
    await store.add([an_item(f"{number}", memory_class=64 if number < 5 else 0) for number in range(25)])
    store.kind = WorkerKind(largest_class=16)
    small = a_worker(done=10, platform=Platform(budget_bytes=16 * GIB))
    await settle(store, 10, at=NOON)

    some = await status(store, "t", [small], now=NOON)
    await settle(store, 10, at=NOON)
    none = await status(store, "t", [small], now=NOON)

    assert some.time_left
    assert some.time_left.likely == timedelta(seconds=10)
    assert (none.counts.left, none.time_left) == (5, None)


async def test_few_of_many_items_are_read_for_what_they_need(store: CountedStore) -> None:
    """The class says what the others need at most."""
    await store.add([an_item(f"{number}", memory_class=64, memory_bytes=60 * GIB) for number in range(51)])

    [left] = (await status(store, "t", [], now=NOON)).out_of_reach

    assert (left.items, left.seen, left.memory) == (51, 50, "up to 64 GB (one of them 60 GB) of memory")


async def test_who_may_read_no_rows_learns_the_class_of_what_is_too_large() -> None:
    """The queue tells it: no item needs more."""
    asked = list[Lane]()

    class Closed(MemoryStore):
        async def in_lane(self, lane: Lane, *, most: int) -> list[Item]:
            asked.append(lane)
            raise Denied(f"{most} of {lane}")

    store = Closed()
    await store.create(shards=1)
    await store.add([an_item("a", memory_class=64, memory_bytes=50 * GIB)])

    [left] = (await status(store, "t", [], now=NOON)).out_of_reach

    assert str(left) == "1 item needs up to 64 GB of memory, and no living worker has that"
    assert (await status(store, "t", [], now=NOON, memory=False)).out_of_reach == (left,)
    assert asked == [Lane(64)]  # once: without memory no row is read


async def test_status_counts_what_waits_for_room_in_living_workers(store: CountedStore) -> None:
    """As heartbeats tell it, without a request. What left its place in vain is named there, and waits no more."""
    waits = RoomWait("t", memory_bytes=2, free_bytes=1), RoomWait("u", cpus=2, free_cpus=1), RoomWait("v"), RoomWait()
    waiting = [a_worker(f"w{number}", waiting=wait) for number, wait in enumerate(waits)]

    assert (await status(store, "t", waiting, now=NOON)).waiting_for_room == 2


async def test_status_tells_what_waits_for_last_attempts(store: CountedStore) -> None:
    """Unless a living worker takes them."""
    await store.add([an_item("a", last_attempts=True), an_item("b", last_attempts=True), an_item("c")])

    seen = await status(store, "t", [a_worker()], now=NOON)

    assert seen.out_of_reach == (OutOfReach(LAST_ATTEMPTS, 2),)
    assert str(seen.out_of_reach[0]) == "2 items wait for a worker with `last_attempts`, and no living worker has that"
    assert (await status(store, "t", [a_worker(last_attempts=True)], now=NOON)).out_of_reach == ()


async def test_the_pace_is_counted_in_the_table_from_when_work_began(store: CountedStore) -> None:
    """In the last minutes and the last hour, whoever settled; not from before the workers started."""
    await store.add([an_item(f"{number}") for number in range(100)])
    await settle(store, 30, at=NOON - 30 * MINUTE)
    await settle(store, 20, at=NOON - MINUTE)
    await settle(store, 10, at=NOON - 2 * 60 * MINUTE)

    long_ago = await status(store, "t", [a_worker(seconds=86400)], now=NOON)
    just_now = await status(store, "t", [a_worker(seconds=100)], now=NOON)

    assert (long_ago.recent, long_ago.last_hour) == (Pace(20, 5 * MINUTE), Pace(50, 60 * MINUTE))
    assert (just_now.recent, just_now.last_hour) == (Pace(20, 100 * SECOND), Pace(50, 100 * SECOND))
    assert just_now.items_per_second == 0.2
    assert just_now.time_left
    assert just_now.time_left.likely == 200 * SECOND


async def test_the_pace_is_that_of_all_living_workers_over_what_is_not_settled(store: CountedStore) -> None:
    """Each counts from its start to its last heartbeat, one that has just started nothing; settled items take none."""
    await store.add([an_item("a"), an_item("b"), replace(an_item("c"), state=State.FAILED)])
    workers = [a_worker("w1", done=20), a_worker("w2", done=5), a_worker("new", started=NOON)]
    seen = await status(store, "t", workers, now=NOON)

    assert seen.items_per_second == 2.5
    assert seen.time_left
    assert seen.time_left.likely == timedelta(seconds=0.8)


async def test_the_tasks_of_nested_items_tell_before_an_item_is_done(store: CountedStore) -> None:
    """A step of few items, each of many hours, has an estimate from its first tasks on."""
    await store.add([an_item("n", nested=["true"] * 10), an_item("m", nested=["true"] * 10)])
    [item] = await claim(store, limit=1)
    first = settled(replace(item, tasks=item.tasks[:5]))
    await store.save(item, replace(item, tasks=(*first.tasks, *item.tasks[5:])))

    seen = await status(store, "t", [a_worker(seconds=600)], now=NOON)

    assert seen.items_per_second == 0
    assert seen.time_left
    assert seen.time_left.likely == timedelta(minutes=30)


@pytest.mark.parametrize(("state", "done"), [(State.TODO, 0), (State.DONE, 20)])
async def test_the_time_left_is_unknown_without_a_pace_and_at_the_end(
    store: CountedStore, state: State, done: int
) -> None:
    """There is no estimate before anything is known, nor when nothing is left."""
    await store.add([replace(an_item("a"), state=state)])

    assert (await status(store, "t", [a_worker(done=done)], now=NOON)).time_left is None


async def test_held_items_take_no_time(store: CountedStore) -> None:
    """Neither single ones nor the tasks of nested ones."""
    await store.add([an_item("a"), hold(an_item("b"), now=NOON), hold(an_item("n", nested=["x", "y"]), now=NOON)])

    seen = await status(store, "t", [a_worker(done=20)], now=NOON)

    assert (seen.counts.left, seen.counts.tasks_left, seen.counts.items[State.PENDING]) == (1, 1, 2)
    assert seen.time_left
    assert seen.time_left.likely == timedelta(seconds=0.5)


async def test_the_time_left_is_no_shorter_than_the_longest_wait(store: CountedStore) -> None:
    """However fast the others are: it is known until when an item that failed has to wait."""
    waiting = replace(an_item("r"), not_before=NOON + 14 * MINUTE, reason="attempt 1: exit status 1")
    await store.add([an_item("a"), waiting])

    seen = await status(store, "t", [a_worker(done=20)], now=NOON)

    assert seen.time_left
    assert seen.time_left.least == seen.time_left.likely == 14 * MINUTE
    assert seen.waits_until == NOON + 14 * MINUTE
    assert [(each.retrying, each.count) for each in seen.failures] == [(True, 1)]
    assert seen.failures_examined == 0


async def test_no_pace_tells_how_long_the_last_items_run_and_wait(store: CountedStore) -> None:
    """When all that is left runs or retries, the pace of those before says nothing of it."""
    await store.add([an_item("a"), replace(an_item("r"), not_before=NOON + 14 * MINUTE)])
    await claim(store, limit=1)

    seen = await status(store, "t", [a_worker(done=20)], now=NOON)

    assert (seen.counts.items[State.LOCKED], seen.counts.retrying, seen.time_left) == (1, 1, None)


async def test_without_workers_there_is_no_time_left(store: CountedStore) -> None:
    """However fast it was."""
    await store.add([an_item(f"{number}") for number in range(30)])
    await settle(store, 20, at=NOON)

    seen = await status(store, "t", [], now=NOON)

    assert (seen.recent.settled, seen.workers, seen.time_left) == (20, 0, None)


async def test_failures_are_grouped(store: CountedStore) -> None:
    """By reason, the largest group first, so that a person sees them before the end of the run."""
    for item_id, reason in (("a", "exit status 1"), ("b", "exit status 2"), ("c", "exit status 1")):
        await store.add([replace(an_item(item_id), state=State.FAILED, reason=f"attempt 3: {reason}")])

    seen = await status(store, "t", [], now=NOON)

    assert [(each.reason, each.count) for each in seen.failures] == [("exit status 1", 2), ("exit status 2", 1)]
    assert seen.failures_examined == 3


async def test_nested_items_are_named_by_how_far_they_are(store: CountedStore) -> None:
    """Up to so many of each kind; single items are none of them."""
    await store.add([an_item(f"n{number}", nested=["a", "b"]) for number in range(5)])
    await store.add([an_item("single")])
    [item, *_] = await claim(store, limit=1)
    await store.save(item, settled(item))

    found = await nested_items(store, most=2)

    assert [len(found[each]) for each in Quarter] == [2, 0, 0, 0, 0, 1]
    assert found[Quarter.DONE] == [item.item_id]
    assert "single" not in found[Quarter.TODO]


async def test_watching_counts_everything_once_a_minute(store: CountedStore) -> None:
    """In between only what moves, and yet every number is right."""
    await store.add([an_item(f"{number}") for number in range(50)])
    clock = FakeClock()
    seen = []

    async def workers() -> list[WorkerStatus]:
        store.calls["workers"] += 1
        return [a_worker()]

    looks = watch(store, "t", workers, every=timedelta(microseconds=1), clock=clock, missed=lambda _: None)
    async with aclosing(looks):
        for _ in range(10):
            seen.append(await anext(looks))
            assert seen[-1].counts.items == (await MemoryStore.counts(store)).items
            await settle(store, 2, at=clock.now())
            clock.advance(RECOUNT / 6)

    assert [each.counts.items[State.DONE] for each in seen] == list(range(0, 20, 2))
    assert [each.at for each in seen] == [NOON + number * RECOUNT / 6 for number in range(10)]
    assert store.calls == {"counts": 2, "workers": 2, "moving": 10}


async def test_clocks_that_differ_lose_nothing_between_two_counts(store: CountedStore) -> None:
    """An item that was settled by a clock behind ours counts, too."""
    await store.add([an_item(f"{number}") for number in range(9)])

    async def workers() -> list[WorkerStatus]:
        return []

    looks = watch(store, "t", workers, every=timedelta(microseconds=1), clock=FakeClock(), missed=lambda _: None)
    async with aclosing(looks):
        await anext(looks)
        await settle(store, 3, at=NOON - OVERLAP)

        assert (await anext(looks)).counts.items[State.DONE] == 3


async def test_watching_goes_on_when_the_table_was_away(store: CountedStore) -> None:
    """The first look that was missed is told, and the next one that works is as good as any."""
    missed: list[Unavailable] = []

    def note(error: Unavailable) -> None:
        missed.append(error)
        asyncio.get_running_loop().call_later(0.01, come_back)  # after some looks

    def come_back() -> None:
        store.is_away = False

    async def workers() -> list[WorkerStatus]:
        return []

    looks = watch(store, "t", workers, every=timedelta(microseconds=1), clock=FakeClock(), missed=note)
    async with aclosing(looks):
        await anext(looks)
        store.is_away = True

        assert (await anext(looks)).counts.total == 0
    assert len(missed) == 1


def ran(item: Item, *, peak_bytes: int, at: datetime = NOON, ran_s: float = 60.0) -> Item:
    """Return a claimed item whose tasks have ended, each with a peak of memory."""

    def using(record: TaskRecord | None) -> TaskRecord | None:
        return record and replace(record, max_rss_bytes=peak_bytes, seconds=ran_s, cpu_seconds=ran_s)

    after = settled(item, now=at)
    return replace(after, tasks=tuple(replace(task, record=using(task.record)) for task in after.tasks))


async def test_status_tells_what_tasks_used_of_memory(store: CountedStore) -> None:
    """Beside what they asked for and what their worker had; a report of the same tasks tells the same."""
    asking = [replace(an_item(f"i{number}"), memory_bytes=8 * GIB) for number in range(20)]
    await store.add(asking)
    for number, item in enumerate(await claim(store, limit=20)):
        await store.save(item, ran(item, peak_bytes=(number + 1) * GIB))
    sized = a_worker("w1", slots=2, platform=Platform(cpus=4, memory_bytes=64 * GIB, budget_bytes=32 * GIB))
    workers = [a_worker("other"), sized, a_worker("idle", slots=1, platform=sized.worker.platform)]
    for each in workers:
        await store.heartbeat(each.worker)

    seen = (await status(store, "t", workers, now=NOON)).memory
    await (collected := Collected(random.Random(1))).read(store, "t")

    reserved = Reserved(4, 32 * GIB, 2)
    assert seen
    assert seen.used.typical_bytes == pytest.approx(19 * GIB, rel=0.01)
    peaks = Peaks(20, seen.used.typical_bytes, 20 * GIB)
    asked = Asked(8 * GIB, 8 * GIB, peaks)
    assert seen == MemoryUse(peaks, asked, (asked,), cpus=1.0, busy_cpus=1.0, reserved=reserved)
    assert [step.memory_use for step in collected.steps] == [seen]


async def test_what_tells_nothing_of_memory_is_left_out(store: CountedStore) -> None:
    """Tasks that ended at once, and steps of which fewer than three tell."""
    await store.add([an_item(f"i{number}") for number in range(10)])
    for number, item in enumerate(await claim(store, limit=10)):
        await store.save(item, ran(item, peak_bytes=GIB, ran_s=60.0 if number < 2 else 0.5))

    assert (await status(store, "t", [], now=NOON)).memory is None


async def test_who_may_read_no_rows_learns_nothing_of_memory() -> None:
    """As a job that only counts: everything else is told. Nothing is read when memory is not asked for."""

    class DeniedStore(MemoryStore):
        asked = 0

        async def read_many(self, item_ids: Sequence[str]) -> list[Item]:  # noqa: ARG002 # none may be read
            self.asked += 1
            raise Denied("denied")

    store = DeniedStore()
    await store.create(shards=1)
    await store.add([an_item("a")])
    [item] = await claim(store)
    await store.save(item, ran(item, peak_bytes=GIB))

    plain = await status(store, "t", [], now=NOON, memory=False)
    assert (plain.memory, plain.counts.settled, store.asked) == (None, 1, 0)
    assert (await status(store, "t", [], now=NOON), store.asked) == (plain, 1)


async def test_few_rows_are_read_for_memory() -> None:
    """The latest, whatever the size of the table; of nested items with many tasks fewer still."""

    class ReadStore(MemoryStore):
        read_ids: Sequence[str] = ()

        async def read_many(self, item_ids: Sequence[str]) -> list[Item]:
            self.read_ids = item_ids
            return await super().read_many(item_ids)

    read: dict[int, Sequence[str]] = {}
    for tasks in (1, 90):
        store = ReadStore()
        await store.create(shards=1)
        await store.add([an_item(f"i{number}", nested=["true"] * tasks) for number in range(100)])
        claimed = await claim(store, limit=100)
        for number, item in enumerate(claimed):
            await store.save(item, ran(item, peak_bytes=GIB, at=NOON + number * SECOND))
        await status(store, "t", [], now=NOON)
        read[tasks] = store.read_ids

    assert len(read[1]) == MOST_ITEMS
    assert read[90] == [item.item_id for item in claimed[:-4:-1]]

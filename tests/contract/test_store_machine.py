"""SQLite is held to memory, step by step, through any story hypothesis can tell."""

from __future__ import annotations

import asyncio
import itertools
import tempfile
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from typing import TypeVar

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, MultipleResults, RuleBasedStateMachine, consumes, invariant, multiple, rule

from pyanamo_async.core import holding, orders, transitions
from pyanamo_async.core.items import Item, State
from pyanamo_async.core.outcomes import InterruptReason, Outcome
from pyanamo_async.core.output_tail import OutputTail, TailChunk, TaskRef
from pyanamo_async.core.workers import Desired, WorkerState
from pyanamo_async.errors import BadRow, PyanamoError
from pyanamo_async.ports import Store
from pyanamo_async.store.memory import MemoryStore
from pyanamo_async.store.sqlite import SqliteStore
from tests.contract.steps import POLICY, a_record, a_worker, listing
from tests.fakes import FakeClock, an_item
from tests.outcomes import OUTCOMES

IDS = st.sampled_from([f"item {number}" for number in range(8)])
WORKERS = st.sampled_from(["w1", "w2", "w3"])
FEEDS = st.builds(TaskRef, IDS, st.just("Task_0"), st.sampled_from([9, 10]))
SAMPLES = st.sampled_from(["s1", "s2"])
ANY_OUTCOME = st.sampled_from(OUTCOMES)
FRESH = st.builds(
    an_item,
    IDS,
    nested=st.lists(st.sampled_from(["x", "y"]), max_size=3),
    sample=SAMPLES,
    priority=st.sampled_from([0, 5, 9]),
    max_failures=st.sampled_from([None, 1, 2]),
)
Send = tuple[Item, Item]
T = TypeVar("T")


class Stores(RuleBasedStateMachine):
    """The same calls to both; the same answers, the same refusals."""

    claims = Bundle("claims")  # as they were when claimed: many are stale when they are used
    seen = Bundle("seen")  # items in any state, as they were when read
    sends = Bundle("sends")  # saves that were sent, whatever came of them

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.folder = tempfile.TemporaryDirectory()
        self.clock = FakeClock()
        self.memory = MemoryStore(token=_tokens())
        self.sqlite = SqliteStore(Path(self.folder.name) / "table.db", token=_tokens())
        self.both(lambda store: store.create(shards=1))

    def both(self, call: Callable[[Store], Awaitable[T]]) -> T | None:
        """Do it to both and hold them to one answer; None when both refused."""
        expected, actual = (self.runner.run(_answer(store, call)) for store in (self.memory, self.sqlite))
        assert expected == actual
        return None if isinstance(expected, type) else expected

    @rule(items=st.lists(FRESH, max_size=6), replace=st.booleans())
    def add(self, items: list[Item], replace: bool) -> None:
        self.both(lambda store: store.add(items, replace=replace))

    @rule(
        target=claims,
        worker=WORKERS,
        limit=st.integers(0, 4),
        state=st.sampled_from([State.TODO, State.TODO, State.WALL_TIME_EXCEEDED]),
    )
    def claim(self, worker: str, limit: int, state: State) -> MultipleResults[Item]:
        now = self.clock.now()
        return multiple(*self.both(lambda store: store.claim(worker, limit=limit, now=now, state=state)) or [])

    @rule(target=seen, item_id=IDS)
    def read(self, item_id: str) -> MultipleResults[Item]:
        item = self.both(lambda store: store.read(item_id))
        return multiple(item) if item else multiple()

    @rule(target=sends, item=claims, outcomes=st.lists(ANY_OUTCOME, min_size=3, max_size=3))
    def progress(self, item: Item, outcomes: list[Outcome]) -> Send:
        results = {task.name: a_record(outcome, item) for task, outcome in zip(item.todo, outcomes, strict=False)}
        finished = list(results.items())[: int(item.nested)]  # the task of a single item stands as the item does
        return self.save(item, transitions.record(item, dict(finished), policy=POLICY))

    @rule(
        target=sends,
        item=claims,
        outcomes=st.lists(ANY_OUTCOME, max_size=3),
        ended=st.sampled_from([None, None, InterruptReason.STOP, InterruptReason.WALL_TIME]),
        jitter=st.sampled_from([0.0, 0.5]),
    )
    def settle(self, item: Item, outcomes: list[Outcome], ended: InterruptReason | None, jitter: float) -> Send:
        results = {task.name: a_record(outcome, item) for task, outcome in zip(item.todo, outcomes, strict=False)}
        now = self.clock.now()
        return self.save(
            item, transitions.settle(item, results, interrupted_by=ended, now=now, policy=POLICY, jitter=jitter)
        )

    @rule(target=sends, item=claims)
    def release(self, item: Item) -> Send:
        return self.save(item, transitions.release(item, InterruptReason.STOP))

    @rule(target=sends, item=claims)
    def reclaim(self, item: Item) -> Send:
        return self.save(item, transitions.reclaim(item, now=self.clock.now(), policy=POLICY))

    @rule(target=sends, item=seen, all_tasks=st.booleans())
    def reset(self, item: Item, all_tasks: bool) -> Send:
        return self.save(item, orders.reset(item, all_tasks=all_tasks))

    @rule(target=sends, item=seen)
    def hold(self, item: Item) -> Send:
        freed = item if item.state is not State.LOCKED else transitions.release(item, InterruptReason.ORDER)
        return self.save(item, holding.hold(freed, now=self.clock.now(), token="order"))

    @rule(target=sends, item=seen)
    def unhold(self, item: Item) -> Send:
        return self.save(item, holding.unhold(item, token="order"))

    @rule(worker=WORKERS, token=st.sampled_from(["token 1", "token 2"]), withdrawn=st.booleans())
    def order_release(self, worker: str, token: str, withdrawn: bool) -> None:
        self.both(lambda store: store.order_release(worker, [token], withdrawn=withdrawn))

    @rule(item=consumes(seen))
    def remove(self, item: Item) -> None:
        self.both(lambda store: store.remove(item))

    @rule(send=sends)
    def send_again(self, send: Send) -> None:
        self.save(*send)

    @rule(crowd=st.lists(sends, min_size=2, max_size=5), worker=WORKERS)
    def send_many_at_once(self, crowd: list[Send], worker: str) -> None:
        now = self.clock.now()

        async def at_once(store: Store) -> list[object]:
            calls: list[Callable[[Store], Awaitable[object]]] = [
                *(lambda store, send=send: store.save(*send) for send in crowd),
                lambda store: store.claim(worker, limit=2, now=now),
                lambda store: store.read("item 0"),
            ]
            return await asyncio.gather(*(_answer(store, call) for call in calls))

        self.both(at_once)

    @rule(seconds=st.sampled_from([1, 5, 60]))
    def time_passes(self, seconds: int) -> None:
        self.clock.advance(timedelta(seconds=seconds))

    @rule(worker=WORKERS, state=st.sampled_from([WorkerState.RUNNING, WorkerState.ENDED]), registered=st.booleans())
    def heartbeat(self, worker: str, state: WorkerState, registered: bool) -> None:
        row = a_worker(worker, heartbeat=self.clock.now(), state=state)
        self.both(lambda store: store.heartbeat(row, registered=registered))

    @rule(worker=WORKERS, seconds=st.sampled_from([0, 5]))
    def mark_dead(self, worker: str, seconds: int) -> None:
        row = a_worker(worker, heartbeat=self.clock.now() - timedelta(seconds=seconds))
        self.both(lambda store: store.mark_dead(row))

    @rule(worker=WORKERS, desired=st.sampled_from(Desired))
    def order(self, worker: str, desired: Desired) -> None:
        self.both(lambda store: store.order(worker, desired))

    @rule(worker=WORKERS, feed=FEEDS, seconds=st.sampled_from([None, 3, 30]))
    def follow(self, worker: str, feed: TaskRef, seconds: int | None) -> None:
        until = None if seconds is None else self.clock.now() + timedelta(seconds=seconds)
        self.both(lambda store: store.follow(worker, feed, until=until))
        self.both(lambda store: store.followed(worker, now=self.clock.now()))

    @rule(feed=FEEDS, text=st.binary(max_size=5))
    def publish(self, feed: TaskRef, text: bytes) -> None:
        self.both(lambda store: store.publish(feed, OutputTail(TailChunk(text, len(text))), now=self.clock.now()))
        self.both(lambda store: store.published(feed))

    @rule(worker=WORKERS)
    def forget(self, worker: str) -> None:
        self.both(lambda store: store.forget(worker))

    @rule(seconds=st.sampled_from([0, 5, 60]))
    def list_workers(self, seconds: int) -> None:
        self.both(lambda store: store.workers())
        self.both(lambda store: store.workers(of=["w1"]))
        until = self.clock.now() - timedelta(seconds=seconds)
        self.both(lambda store: store.heartbeats(until=until))
        self.both(lambda store: store.heartbeats(since=until, most=1))

    @rule(worker=WORKERS)
    def held(self, worker: str) -> None:
        held = self.both(lambda store: _by_id(store.held(worker)))
        assert all(item.worker == worker for item in held or [])

    @rule(ids=st.lists(IDS))
    def existing(self, ids: list[str]) -> None:
        self.both(lambda store: store.existing(ids))

    @rule(state=st.none() | st.sampled_from(State), sample=st.none() | SAMPLES)
    def summaries(self, state: State | None, sample: str | None) -> None:
        self.both(lambda store: listing(store, state=state, sample=sample))

    @invariant()
    def count(self) -> None:
        self.both(lambda store: store.counts())
        self.both(lambda store: store.next_due())
        self.both(lambda store: store.next_due(state=State.WALL_TIME_EXCEEDED))

    def save(self, before: Item, after: Item) -> Send:
        """Send a save to both."""
        self.both(lambda store: store.save(before, after))
        return before, after

    def teardown(self) -> None:
        self.both(_everything)
        self.runner.run(self.sqlite.close())
        self.runner.close()
        self.folder.cleanup()


async def _answer(store: Store, call: Callable[[Store], Awaitable[T]]) -> T | type[PyanamoError]:
    try:
        return await call(store)
    except PyanamoError as refusal:
        return type(refusal)


async def _everything(store: Store) -> list[Item]:
    return [await store.read(summary.item_id) for summary in await listing(store)]


async def _by_id(held: Awaitable[list[Item | BadRow]]) -> list[Item]:
    return sorted((item for item in await held if isinstance(item, Item)), key=lambda item: item.item_id)


def _tokens() -> Callable[[], str]:
    numbers = itertools.count()
    return lambda: f"token {next(numbers)}"


TestStores = Stores.TestCase
TestStores.settings = settings(
    max_examples=40, stateful_step_count=40, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)

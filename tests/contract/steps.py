"""What workers and people do with a store, in short."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from pyanamo_async.core import transitions
from pyanamo_async.core.failure_policy import FailurePolicy
from pyanamo_async.core.holding import hold, unhold
from pyanamo_async.core.items import Item, Output, State, Summary, TaskRecord
from pyanamo_async.core.memory.room_wait import reclaim_waiting
from pyanamo_async.core.outcomes import Failed, Interrupted, InterruptReason, Outcome, Succeeded
from pyanamo_async.core.stored.queue_key import shard_of
from pyanamo_async.core.workers import Worker
from pyanamo_async.ports import Store
from tests.fakes import NOON

POLICY = FailurePolicy(backoff_min=timedelta(seconds=10))
TEXT = "tab\t newline\n NUL\0 umlaut ü emoji 🧬 replaced \ufffd quote ' \" back\\slash"


async def claim(
    store: Store, worker: str = "w1", *, limit: int = 1, now: datetime = NOON, state: State = State.TODO
) -> list[Item]:
    """Claim as a worker does: fewer than asked for says nothing about the table, `next_due` does."""
    claims: list[Item] = []
    while len(claims) < limit and (due := await store.next_due(state=state)) and due <= now:
        claims += await store.claim(worker, limit=limit - len(claims), now=now, state=state)
    return claims


async def claim_one(store: Store, worker: str = "w1", *, now: datetime = NOON, state: State = State.TODO) -> Item:
    """Claim the one item there is to claim."""
    [item] = await claim(store, worker, now=now, state=state)
    return item


def settled(
    before: Item, outcome: Outcome | None = None, *, ended: InterruptReason | None = None, now: datetime = NOON
) -> Item:
    """End a claim with all its tasks having ended alike."""
    results = {task.name: a_record(outcome or Succeeded(), before) for task in before.todo}
    return transitions.settle(before, results, interrupted_by=ended, now=now, policy=POLICY, jitter=0.5)


def failed(before: Item, *, now: datetime = NOON) -> Item:
    """End a claim with a failure that is retried five seconds later."""
    return settled(before, Failed(exit_code=1), now=now)


def reclaimed(before: Item) -> Item:
    """Take an item from a worker that vanished."""
    return transitions.reclaim(before, now=NOON, policy=POLICY)


WAYS_BACK: dict[str, Callable[[Item], Item]] = {
    "retry": failed,
    "interruption": lambda item: settled(item, Interrupted(InterruptReason.STOP), ended=InterruptReason.STOP),
    "wall time": lambda item: settled(item, Interrupted(InterruptReason.WALL_TIME), ended=InterruptReason.WALL_TIME),
    "unused": lambda item: transitions.release_unused(item, until=NOON),
    "reclaim": reclaimed,
    "reclaim of what waits": reclaim_waiting,
    "internal error": lambda item: transitions.settle_internal_error(item, "bug", now=NOON, policy=POLICY),
    "unhold": lambda item: unhold(hold(failed(item), now=NOON), token="t"),
}
"""What brings a claimed item back by itself, or by somebody who holds it and lets it go."""


def a_record(outcome: Outcome, item: Item) -> TaskRecord:
    """Write down an attempt, with all that a record may hold."""
    return TaskRecord(
        outcome=outcome,
        started=NOON,
        finished=NOON + timedelta(milliseconds=1234),
        seconds=1.234567,
        attempt=item.attempt,
        worker=item.worker,
        max_rss_bytes=2**40,
        cpu_seconds=0.0,
        stdout=Output(text=TEXT, size_bytes=len(TEXT.encode()), lines=2),
        stderr=Output(text="tail", at="s3://bucket/key.gz", size_bytes=2**33, lines=7, status="kept late"),
    )


def a_worker(worker_id: str, *, heartbeat: datetime = NOON, **fields: Any) -> Worker:  # noqa: ANN401 # any field of Worker
    """Make a worker that showed its last sign of life at `beat`."""
    return Worker(
        worker_id, **{"host": "host", "started": NOON, "heartbeat": heartbeat, "lease": timedelta(minutes=3), **fields}
    )


async def listing(store: Store, *, state: State | None = None, sample: str | None = None) -> list[Summary]:
    """List all at once."""
    return [summary async for summary in store.summaries(state=state, sample=sample)]


async def one_shard_ids(store: Store, count: int, *, width: int = 1) -> list[str]:
    """Make ids, at least `width` long, that share one shard of the table, for what is promised only within a shard."""
    shards = (await store.describe()).shards
    names = (f"{number:0{width}}" for number in range(100 * count * shards))
    return [name for name in names if shard_of(name, shards) == 0][:count]

"""Look after workers: who lives, and what they are told to do."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum

from pyanamo_async.core.workers import Desired, Worker
from pyanamo_async.errors import ItemMissing, UsageError
from pyanamo_async.ports import Store


class Condition(StrEnum):
    """How a worker is, as far as its row tells."""

    ALIVE = "alive"
    STALE = "stale"
    GONE = "gone"


def condition(worker: Worker, *, now: datetime) -> Condition:
    """Tell how a worker is: it said goodbye, or has been silent for its lease, or lives."""
    if worker.gone:
        return Condition.GONE
    return Condition.STALE if worker.is_stale(now) else Condition.ALIVE


async def list_workers(store: Store, *, stale: bool, now: datetime) -> Sequence[Worker]:
    """List workers by last beat, or only those that have been silent for their lease."""
    found = await store.workers()
    return [worker for worker in found if not stale or condition(worker, now=now) is Condition.STALE]


async def order(store: Store, worker_id: str | None, desired: Desired, *, everyone: bool, now: datetime) -> list[str]:
    """Leave an order for one worker or for all that live; return whom it was left for.

    Raises:
        UsageError: neither or both were named, or there is no such worker.
    """
    if (worker_id is None) != everyone:
        raise UsageError("name one worker, or say --all", hint="`pyanamo workers` lists them")
    living = [each.worker_id for each in await store.workers() if condition(each, now=now) is Condition.ALIVE]
    chosen = living if everyone else [worker_id or ""]
    for each in chosen:
        try:
            await store.order(each, desired)
        except ItemMissing as missing:
            raise UsageError(f"there is no worker {each}", hint="`pyanamo workers` lists them") from missing
    return chosen

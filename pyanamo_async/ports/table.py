"""The table: what stores remember, and how they are asked. One small protocol per need; a store implements all.

Every method raises `TableMissing` when there is no table and `SchemaMismatch` when it is not one of ours.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Protocol

from pyanamo_async.core.items import Counts, Item, State, Summary
from pyanamo_async.core.output_tail import OutputTail, TaskRef
from pyanamo_async.core.workers import Desired, Orders, Worker
from pyanamo_async.ports.description import NO_OPTIONS, Description, Indexes, TableOptions

INDEX_LAG_AT_MOST = timedelta(seconds=20)
"""How late we reckon an index to show a write.

DynamoDB updates its indexes after the write and names no bound, only "usually a fraction of a second" ("Using Global
Secondary Indexes" in its developer guide).
"""


class AddResult(StrEnum):
    """What became of one item that was to be added."""

    ADDED = "added"
    SKIPPED = "skipped"
    REPLACED = "replaced"
    LOCKED = "locked"  # it exists, and was not replaced because a worker holds it


class TableAdmin(Protocol):
    """Create, describe and delete the table."""

    async def create(self, *, shards: int, indexes: Indexes = (), options: TableOptions = NO_OPTIONS) -> bool:
        """Create the table and wait until it is usable; return False when one of the right schema existed.

        One that exists is left as it is, and needs no right to create it. `indexes` are extra indexes in DynamoDB's own
        form (`GlobalSecondaryIndexes`); stores without them refuse. `options` are DynamoDB's, and ignored elsewhere.
        """
        ...

    async def describe(self) -> Description:
        """Describe the table."""
        ...

    async def drop(self) -> None:
        """Delete the table and all its items."""
        ...

    async def close(self) -> None:
        """Release connections, threads and files; harmless when repeated."""
        ...


class ItemQueue(Protocol):
    """Add, claim, save and remove items: every change of an item."""

    async def add(self, items: Sequence[Item], *, replace: bool = False) -> list[AddResult]:
        """Add any number of items, each on its own, and return in their order what became of each.

        An item that exists is left alone (`SKIPPED`), or with `replace` overwritten whole unless it is locked; its
        attempt number continues, so that no attempt ever writes over the output of an older one. The call is
        idempotent: repeated after a lost reply it only skips.
        """
        ...

    async def claim(self, worker: str, *, limit: int, now: datetime, state: State = State.TODO) -> list[Item]:
        """Lock up to `limit` items in `state` for `worker`, as `core.transitions.claim` defines it.

        Exactly one worker wins an item, however many try. Items whose `not_before` is after `now` are left alone;
        better priorities (lower numbers) go first. Fewer than `limit`, even none, says nothing about what the table
        holds: `next_due` does. A claim whose reply was lost is found by its token when the request is repeated.
        """
        ...

    async def next_due(self, *, state: State = State.TODO, consistent: bool = False) -> datetime | None:
        """Return when the next item of `state` may be claimed (in the past: now); None when there is none.

        A store that pays per read may answer from what it saw a while ago; `consistent` makes it read every shard.
        """
        ...

    async def save(self, before: Item, after: Item) -> None:
        """Write `after` if the item's state, attempt and token are still those of `before`.

        This is the fence: progress, settle, reclaim and reset all pass here. Idempotent: when the stored state, attempt
        and token are already those of `after`, from an earlier sending of the same call, it succeeds.

        Raises:
            Fenced: the item is no longer as it was seen; nothing was written.
        """
        ...

    async def remove(self, before: Item) -> None:
        """Delete an item if its state, attempt and token are still those of `before`; else raise `Fenced`."""
        ...


class ItemReader(Protocol):
    """Read items, one, in summary, whole or counted."""

    async def read(self, item_id: str) -> Item:
        """Read one item, as last written.

        Raises:
            ItemMissing: there is none of that id.
        """
        ...

    async def existing(self, item_ids: Sequence[str]) -> set[str]:
        """Return which of these ids are in the table."""
        ...

    async def read_many(self, item_ids: Sequence[str]) -> list[Item]:
        """Read those of these items that are in the table, whole, in no order; each may be a moment old."""
        ...

    def summaries(self, *, state: State | None = None, sample: str | None = None) -> AsyncIterator[Summary]:
        """List items in the order of state, then of their queue; memory does not grow with their number."""
        ...

    def items(self, *, state: State | None = None, sample: str | None = None) -> AsyncIterator[Item]:
        """Read items whole, in no order; memory does not grow with their number.

        Whatever others write meanwhile: an item that matches throughout is read once.
        """
        ...

    async def counts(self) -> Counts:
        """Count items by state, and tasks; unfinished tasks count as failed when their item is, else as todo."""
        ...


class WorkerRegistry(Protocol):
    """Workers: their heartbeats, the orders people leave for them, and what they hold."""

    def service_time(self, *, now: datetime) -> datetime:
        """Return the time by which heartbeats are stamped; `now` is the machine's.

        It is the same for all workers of a table: the service's, as its last reply told it, or that of the machine with
        the file.
        """
        ...

    async def heartbeat(self, worker: Worker, *, registered: bool = False) -> Orders:
        """Write a worker's heartbeat, whole, except the orders of people; return those orders.

        A heartbeat that arrives after a later one changes nothing: a living worker must not look silent because of it.
        Every heartbeat but a worker's first says `again`: it needs the row, so that no worker comes back from the dead.

        Raises:
            Fenced: the worker was marked dead, or with `again` has no row; nothing was written.
        """
        ...

    async def mark_dead(self, worker: Worker) -> bool:
        """Mark a worker dead if its last heartbeat is still the one of `worker`; return whether it is marked.

        A worker that ended is not marked. The mark stays until the row is forgotten.
        """
        ...

    async def heartbeats(
        self, *, since: datetime | None = None, until: datetime | None = None, most: int | None = None
    ) -> Mapping[str, datetime]:
        """Return the last heartbeats of workers that have not ended, oldest first, by worker id.

        Only those from `since` to `until` (inclusive), and with `most` only the latest of them. The answer may be as
        late as an index.
        """
        ...

    async def order(self, worker_id: str, desired: Desired) -> None:
        """Leave an order for a worker; raises `ItemMissing` when the table has no such worker."""
        ...

    async def workers(self, *, of: Collection[str] | None = None) -> list[Worker]:
        """List workers that have not been forgotten, by last heartbeat; with `of`, those with these ids.

        Rows are read as last written.
        """
        ...

    async def forget(self, worker_id: str) -> None:
        """Delete a worker's row, with its output tails and subscriptions; harmless when there is none."""
        ...

    async def held(self, worker_id: str) -> list[Item]:
        """Read the items a worker holds, whole."""
        ...


class Notifications(Protocol):
    """How waiting workers learn that items were added or put back."""

    @property
    def notifications_every_s(self) -> float:
        """Return how often `notifications` is worth asking, by its cost."""
        ...

    async def notify(self, *, now: datetime) -> None:
        """Tell workers that wait, or are about to go home, that items were added or put back.

        Best effort, and never an error of the table's: a worker that misses it finds the items by looking.
        """
        ...

    async def notifications(self, *, now: datetime, consistent: bool = False) -> bool:
        """Return whether new items may have become claimable since the last call; costs less than a claim.

        The answer may be a moment old; `consistent` makes it current.
        """
        ...


class OutputTails(Protocol):
    """The last output of running tasks, published while somebody subscribes to it."""

    async def follow(self, worker_id: str, task: TaskRef, *, until: datetime | None) -> None:
        """Subscribe to a task's output until then; None unsubscribes and deletes what was published.

        Raises:
            ItemMissing: the table has no such worker (not raised when unsubscribing).
        """
        ...

    async def followed(self, worker_id: str, *, now: datetime) -> Sequence[TaskRef] | None:
        """Return between heartbeats which tasks have subscribers; None, unread, where a read costs a heartbeat."""
        ...

    async def publish(self, task: TaskRef, tail: OutputTail, *, now: datetime) -> bool:
        """Publish a task's latest output; return False, and write nothing, when nobody subscribes at `now`."""
        ...

    async def published(self, task: TaskRef) -> OutputTail | None:
        """Read what was published last, at first nothing; None when nobody subscribes (any more)."""
        ...


class Store(TableAdmin, ItemQueue, ItemReader, WorkerRegistry, Notifications, OutputTails, Protocol):
    """The table: remembers items and workers, decides nothing."""

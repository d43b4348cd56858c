"""The table: what stores remember, and how they are asked. One small protocol per need; a store implements all.

Every method raises `TableMissing` when there is no table and `SchemaMismatch` when it is not one of ours.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Protocol

from pyanamo_async.core.counts import Counts
from pyanamo_async.core.items import Item, State, Summary
from pyanamo_async.core.queue_lanes import WorkerKind
from pyanamo_async.core.stored.bad_rows import BadRows
from pyanamo_async.core.workers import Desired, Orders, Worker
from pyanamo_async.errors import BadRow
from pyanamo_async.ports.description import TableAdmin
from pyanamo_async.ports.lanes import LaneReader, LastAttempts
from pyanamo_async.ports.notifications import Notifications
from pyanamo_async.ports.output_tails import OutputTails

INDEX_LAG_AT_MOST = timedelta(seconds=20)
"""The longest that an index is assumed to lag behind a write.

DynamoDB names no bound, only "usually a fraction of a second" ("Using Global Secondary Indexes" in its guide)."""


class AddResult(StrEnum):
    """What became of one item that was to be added."""

    ADDED = "added"
    SKIPPED = "skipped"
    REPLACED = "replaced"
    LOCKED = "locked"  # it exists, and was not replaced because a worker holds it


class ItemQueue(Protocol):
    """Add, claim, save and remove items: every change of an item that can be read (`WorkerRegistry` buries others).

    `kind` is that of the worker that asks: `claim`, `next_due` and `notifications` see only the lanes that it takes.
    For what they say, items in others are not there. They see all, unless somebody sets it.
    """

    kind: WorkerKind

    async def add(self, items: Sequence[Item], *, replace: bool = False) -> list[AddResult]:
        """Add any number of items, each on its own, and return in their order what became of each.

        An item that exists is left alone (`SKIPPED`), or with `replace` overwritten whole unless it is locked; its
        attempt number continues and it keeps its mark, if it has one, so that no attempt ever writes over the output of
        an older one, and that output is still found. The call is idempotent: repeated after a lost reply it only skips.
        """
        ...

    async def claim(self, worker: str, *, limit: int, now: datetime, state: State = State.TODO) -> list[Item]:
        """Lock up to `limit` items in `state` for `worker`, as `core.transitions.claim` defines it.

        Exactly one worker wins an item, however many try. Items whose `not_before` is after `now` are left alone;
        larger memory classes go first, then last attempts, then all others, and within these better priorities (lower
        numbers). A row in `state` that cannot be read is
        buried instead, and noted in `bad_rows`; a due time that cannot be read is due now. Fewer than `limit`, even
        none, says nothing about what the table holds: `next_due` does. A claim whose reply was lost is found by its
        token when the request is repeated.
        """
        ...

    @property
    def has_unanswered_claims(self) -> bool:
        """Return whether a claim was sent and not answered, though others of its call were, and not repeated since."""
        return False

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

    async def adopt(self, bad: BadRow, item: Item) -> bool:  # noqa: ARG002 # of stores that other programs write to
        """Place a row of another program as `item`, if it is as it was seen; return whether it was. Idempotent."""
        return False

    async def bury(self, bad: BadRow, *, now: datetime) -> bool:
        """Fail an item whose row cannot be read, if its place (and holder) are as they were seen; return whether it is.

        Only its state, its place, when and why are written: a person finds the rest as it was. Idempotent.
        """
        ...


class ItemReader(Protocol):
    """Read items, one, in summary, whole or counted.

    Listings leave out rows that cannot be read, also those of workers, and note them in `bad_rows`.
    """

    bad_rows: BadRows

    async def read(self, item_id: str) -> Item:
        """Read one item, as last written.

        Raises:
            ItemMissing: there is none of that id.
            BadRow: its row cannot be read.
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

    def retrying(self, *, sample: str | None = None) -> AsyncIterator[Summary]:
        """List, as `summaries` does, those in `todo` that wait to be tried again; it reads only those."""
        ...

    def items(self, *, sample: str | None = None) -> AsyncIterator[Item]:
        """Read items whole, in no order; memory does not grow with their number.

        Whatever others write meanwhile: an item that matches throughout is read once.
        """
        ...

    async def counts(self, *, since: Sequence[datetime] = ()) -> Counts:
        """Count items by state, tasks, and nested items by how far they are.

        Unfinished tasks count as failed when their item is, else as todo. An item whose numbers cannot be read counts
        as one task. Of items that are done or failed, those that are so since each of the ascending times `since` are
        counted, too, in the clocks of their workers. Ledgers are added up as far as they can be read.
        """
        ...

    async def moving_counts(self, *, since: datetime) -> Counts:
        """Count, as `counts` does but for ledgers, only locked items, and those that left the queue since a time.

        The cost grows with their number, not with that of all items.
        """
        ...

    async def last_settled(self, *, most: int) -> list[Summary]:
        """List up to `most` items that were done or failed last, the latest first, which alone is surely the latest."""
        ...

    def unreadable(self) -> AsyncIterator[BadRow]:
        """Find all rows that cannot be read, also of workers, or are where this version knows none; reads all rows."""
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
        Every heartbeat but the first is `registered`: it needs the row, so that no worker comes back from the dead.

        Raises:
            Fenced: the worker was marked dead, or is `registered` and has no row; nothing was written.
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
        late as an index. A heartbeat that cannot be read is `NEVER`.
        """
        ...

    async def order(self, worker_id: str, desired: Desired) -> None:
        """Leave an order for a worker; raises `ItemMissing` when the table has no such worker."""
        ...

    async def order_release(self, worker_id: str, tokens: Collection[str], *, withdrawn: bool = False) -> None:
        """Order a worker to let go of the claims with these tokens, or withdraw that; what is ordered twice is once.

        Every reply to a heartbeat carries what is ordered until it is withdrawn. The row of a worker is small: order
        few at a time. Raises `ItemMissing` when the table has no such worker; to withdraw is harmless then.
        """
        ...

    async def workers(self, *, of: Collection[str] | None = None) -> list[Worker]:
        """List workers by last heartbeat (with `of`, these), as last written; an unreadable one has its `problem`."""
        ...

    async def forget(self, worker_id: str) -> None:
        """Delete a worker's row, with its output tails and subscriptions; harmless when there is none."""
        ...

    def holders(self) -> AsyncIterator[str]:
        """List the workers that hold items, once for each item, as an index shows it."""
        ...

    async def held(self, worker_id: str) -> list[Item | BadRow]:
        """Read the items a worker holds, whole, those that cannot be read among them."""
        ...


class Store(
    TableAdmin, ItemQueue, ItemReader, LaneReader, WorkerRegistry, LastAttempts, Notifications, OutputTails, Protocol
):
    """The table: remembers items and workers, decides nothing."""

"""The table: what stores remember, and how they are asked."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from pyanamo_async.core.items import Counts, Item, State, Summary
from pyanamo_async.core.output_tail import OutputTail, TaskRef
from pyanamo_async.core.values import Value
from pyanamo_async.core.workers import Desired, Orders, Worker


class AddResult(StrEnum):
    """What became of one item that was to be added."""

    ADDED = "added"
    SKIPPED = "skipped"
    REPLACED = "replaced"
    LOCKED = "locked"  # there, and not replaced because a worker holds it


class Index(Value):
    """An index of the table."""

    name: str
    keys: tuple[str, ...]
    projection: str


class Description(Value):
    """What a table looks like; `filed_as` is the name its output is filed under, which no other table ever has.

    `further` are the indexes that are not ours, as `Store.create` takes them.
    """

    table: str
    output_namespace: str
    keys: tuple[str, ...]
    indexes: tuple[Index, ...]
    shards: int
    schema_version: int
    billing: str
    status: str = ""
    size_bytes: int | None = None
    created: datetime | None = None
    extra_indexes: tuple[Mapping[str, object], ...] = ()


class Units(Value):
    """Capacity units that a table was charged for, as DynamoDB counts them, indexes included.

    `untold` counts the requests whose answer did not say what they were charged.
    """

    write: float = 0.0
    read: float = 0.0
    untold: int = 0

    def __add__(self, more: Units) -> Units:
        """Add what was charged later."""
        return Units(self.write + more.write, self.read + more.read, self.untold + more.untold)

    def __sub__(self, before: Units) -> Units:
        """Tell what was charged since."""
        return Units(self.write - before.write, self.read - before.read, self.untold - before.untold)


class Store(Protocol):
    """The table: remembers items and workers, decides nothing.

    Every method raises `TableMissing` when there is no table and `SchemaMismatch` when it is not one of ours.
    """

    async def create(self, *, shards: int, indexes: Sequence[Mapping[str, object]] = ()) -> bool:
        """Create the table and wait until it is usable; False when one of the right schema was there already.

        `indexes` are further indexes in DynamoDB's own words (`GlobalSecondaryIndexes`); stores without them refuse.
        """
        ...

    async def describe(self) -> Description:
        """Describe the table."""
        ...

    async def drop(self) -> None:
        """Delete the table and all its items."""
        ...

    async def close(self) -> None:
        """Let go of connections, threads and files; harmless when repeated."""
        ...

    async def add(self, items: Sequence[Item], *, replace: bool = False) -> list[AddResult]:
        """Add items, each for itself, and say in their order what became of each.

        An item that exists is left alone (`SKIPPED`), or with `replace` overwritten whole unless it is locked; only its
        attempt number counts on, so that no attempt ever writes over the output of an older one. The call is
        idempotent: repeated after a lost reply it only skips. Any number of items may be passed.
        """
        ...

    async def existing(self, item_ids: Sequence[str]) -> set[str]:
        """Tell which of these ids are in the table."""
        ...

    async def claim(self, worker: str, *, limit: int, now: datetime, state: State = State.TODO) -> list[Item]:
        """Lock up to `limit` items that stand in `state` for `worker`, as `core.transitions.claim` has it.

        Exactly one worker wins an item, however many try. Items whose `not_before` is after `now` are left alone;
        better priorities (lower numbers) go first. Fewer than `limit`, even none, says nothing about what the table
        holds: `next_due` does. A claim whose reply was lost is found by its token when the request is repeated.
        """
        ...

    async def next_due(self, *, state: State = State.TODO, consistent: bool = False) -> datetime | None:
        """Tell when the next item of `state` may be claimed (in the past: now); None when there is none at all.

        A store that pays for looks may answer by what it saw a while ago; `afresh` has it look, at everything.
        """
        ...

    async def save(self, before: Item, after: Item) -> None:
        """Write `after` if the item's state, attempt and token are still those of `before`.

        This is the fence: progress, settle, reclaim and reset all pass here. Idempotent: when the stored state, attempt
        and token are already those of `after` by an earlier sending of the same call, it succeeds.

        Raises:
            Fenced: the item is no longer as it was seen; nothing was written.
        """
        ...

    async def remove(self, before: Item) -> None:
        """Delete an item if its state, attempt and token are still those of `before`; else raise `Fenced`."""
        ...

    @property
    def notifications_every_s(self) -> float:
        """Tell how often `announced` is worth asking, by what it costs."""
        ...

    async def notify(self, *, now: datetime) -> None:
        """Let workers that wait, or are about to go home, hear that items were added or put back.

        At best, and never an error of the table's: who does not hear of it finds them by looking.
        """
        ...

    async def notifications(self, *, now: datetime, consistent: bool = False) -> bool:
        """Tell, for less than a claim costs, whether one may succeed by now that did not when this was last asked.

        The answer may be a moment old; `afresh` has it be of now.
        """
        ...

    async def read(self, item_id: str) -> Item:
        """Read one item, as last written.

        Raises:
            ItemMissing: there is none of that id.
        """
        ...

    def summaries(self, *, state: State | None = None, sample: str | None = None) -> AsyncIterator[Summary]:
        """List items in the order of state, then of their queue; memory does not grow with their number."""
        ...

    def items(self, *, state: State | None = None, sample: str | None = None) -> AsyncIterator[Item]:
        """Read items whole, in no order; memory does not grow with their number.

        Whatever others write meanwhile: an item that matches all the while is read once.
        """
        ...

    async def counts(self) -> Counts:
        """Count items by every state, and tasks; those not done count as failed when their item is, else as todo."""
        ...

    async def heartbeat(self, worker: Worker) -> Orders:
        """Write a worker's sign of life, whole, except what a person orders; return those orders.

        One that arrives after a later one changes nothing: a living worker must not look silent because of it.
        """
        ...

    async def order(self, worker_id: str, desired: Desired) -> None:
        """Leave an order for a worker; raises `ItemMissing` when the table has no such worker."""
        ...

    async def follow(self, worker_id: str, feed: TaskRef, *, until: datetime | None) -> None:
        """Ask a worker to publish what a task prints, until then; None withdraws that, and what was published goes.

        Raises:
            ItemMissing: the table has no such worker (who withdraws is not told).
        """
        ...

    async def followed(self, worker_id: str, *, now: datetime) -> Sequence[TaskRef] | None:
        """Tell between beats what is followed at `now`; None, without a look, where one costs as much as a beat."""
        ...

    async def publish(self, feed: TaskRef, live: OutputTail, *, now: datetime) -> bool:
        """Show those who follow what a task printed last; False, and nothing is written, when nobody asks at `now`."""
        ...

    async def published(self, feed: TaskRef) -> OutputTail | None:
        """Read what was shown last, at first nothing; None when nobody asks for it, or no longer."""
        ...

    async def workers(
        self, *, heartbeat_before: datetime | None = None, most: int | None = None, of: Collection[str] | None = None
    ) -> list[Worker]:
        """List workers that have not been forgotten, or only those whose last beat is older, by last beat.

        With `most`, no more than so many are read: of those asked for, the ones heard of last. With `of`, only those of
        these ids, as last written.
        """
        ...

    async def forget(self, worker_id: str) -> None:
        """Delete a worker's row, with all that was asked of it and published; harmless when there is none."""
        ...

    async def held(self, worker_id: str) -> list[Item]:
        """Read the items a worker holds, whole."""
        ...

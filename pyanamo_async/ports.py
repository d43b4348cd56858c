"""The seams of the house. Each docstring is law; each law has a test in `tests/contract`.

Adapters raise `errors.Unavailable` for what may succeed later (throttling, resets, 5xx, a locked file) and other
errors of `errors` for what will not. They never retry for longer than a few seconds, and decide nothing about items.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Protocol

from pyanamo_async.core.items import Counts, Item, State, Summary
from pyanamo_async.core.live import Feed, Live
from pyanamo_async.core.workers import Desired, Orders, Worker


class Clock(Protocol):
    """Time, as an argument."""

    def now(self) -> datetime:
        """Tell the time of day, in UTC, to the millisecond: for what is stored, never for durations."""
        ...

    def monotonic(self) -> float:
        """Tell seconds that never jump: for durations."""
        ...


# --- the table -----------------------------------------------------------------------------------------------------


class AddResult(StrEnum):
    """What became of one item that was to be added."""

    ADDED = "added"
    SKIPPED = "skipped"
    REPLACED = "replaced"
    LOCKED = "locked"  # there, and not replaced because a worker holds it


@dataclass(frozen=True, slots=True)
class Index:
    """An index of the table."""

    name: str
    keys: tuple[str, ...]
    projection: str


@dataclass(frozen=True, slots=True)
class Description:
    """What a table looks like; `filed_as` is the name its output is filed under, which no other table ever has.

    `further` are the indexes that are not ours, as `Store.create` takes them.
    """

    table: str
    filed_as: str
    keys: tuple[str, ...]
    indexes: tuple[Index, ...]
    shards: int
    schema_version: int
    billing: str
    status: str = ""
    size_bytes: int | None = None
    created: datetime | None = None
    further: tuple[Mapping[str, object], ...] = ()


@dataclass(frozen=True, slots=True)
class Units:
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

    async def next_due(self, *, state: State = State.TODO) -> datetime | None:
        """Tell when the next item of `state` may be claimed (in the past: now); None when there is none at all."""
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

    async def beat(self, worker: Worker) -> Orders:
        """Write a worker's sign of life, whole, except what a person orders; return those orders.

        One that arrives after a later one changes nothing: a living worker must not look silent because of it.
        """
        ...

    async def order(self, worker_id: str, desired: Desired) -> None:
        """Leave an order for a worker; raises `ItemMissing` when the table has no such worker."""
        ...

    async def follow(self, worker_id: str, feed: Feed, *, until: datetime | None) -> None:
        """Ask a worker to publish what a task prints, until then; None withdraws that, and what was published goes.

        Raises:
            ItemMissing: the table has no such worker (who withdraws is not told).
        """
        ...

    async def followed(self, worker_id: str, *, now: datetime) -> Sequence[Feed] | None:
        """Tell between beats what is followed at `now`; None, without a look, where one costs as much as a beat."""
        ...

    async def publish(self, feed: Feed, live: Live, *, now: datetime) -> bool:
        """Show those who follow what a task printed last; False, and nothing is written, when nobody asks at `now`."""
        ...

    async def published(self, feed: Feed) -> Live | None:
        """Read what was shown last, at first nothing; None when nobody asks for it, or no longer."""
        ...

    async def workers(
        self, *, beat_before: datetime | None = None, most: int | None = None, of: Collection[str] | None = None
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


# --- output --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class OutputKey:
    """Whose output it is: no two attempts ever share one."""

    table: str
    item_id: str
    task: str
    attempt: int
    stream: str


class Sink(Protocol):
    """Takes the output of one stream of one attempt."""

    async def write(self, chunk: bytes) -> None:
        """Take a chunk; waits while the storage is slower than the script, so that memory stays bounded.

        Raises:
            OutputError: it cannot be kept; the sink is finished and has cleaned up behind it.
        """
        ...

    async def close(self) -> str:
        """Make all of it durable and return its location; only then may the task count as done."""
        ...

    async def abort(self) -> None:
        """Throw it away and leave nothing behind; harmless when repeated, or after `close`."""
        ...


@dataclass(frozen=True, slots=True)
class Unfinished:
    """Output under way: its location when it will be whole, since when nothing came, and what its store calls it."""

    location: str
    since: datetime
    name: str


class OutputStore(Protocol):
    """Carries output, never interprets it."""

    async def check(self) -> None:
        """Find out whether output can be written at all.

        Raises:
            BucketMissing, OutputError, Denied: it cannot.
        """
        ...

    def open(self, key: OutputKey) -> Sink:
        """Start a sink; nothing is created or sent before there is something to keep."""
        ...

    def location(self, key: OutputKey) -> str:
        """Tell where the output of a key stands, if it was kept for itself: reading finds out."""
        ...

    def read(self, location: str, *, start: int = 0) -> AsyncIterator[bytes]:
        """Stream what stands at a location, decompressed, from byte `start` of it, in constant memory.

        Raises:
            OutputMissing: there is nothing.
        """
        ...

    def unfinished(self, table: str) -> AsyncIterator[Unfinished]:
        """List what of a table's output is under way, or was when its worker was killed; what checks left too."""
        ...

    async def discard(self, unfinished: Unfinished) -> None:
        """Remove what is unfinished; harmless when it is gone. A sink that still writes to it fails."""
        ...

    async def remove(self, key: OutputKey) -> None:
        """Remove the output of a key that was kept for itself, and what had to be made for it; harmless when gone."""
        ...

    async def close(self) -> None:
        """Let go of connections and temporary files; harmless when repeated."""
        ...


# --- scripts -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Command:
    """A script to run, with the environment and folder it runs in (None: the worker's own)."""

    script: str
    env: Mapping[str, str]
    cwd: str | None = None


@dataclass(frozen=True, slots=True)
class Exit:
    """How a process ended (`code` or `signal`, one is None) and what it used; None where the platform cannot tell.

    `max_rss_bytes` is the peak of its largest process, as `wait4` has it: on Linux never less than the worker's own,
    because a child shares the worker's memory until its exec. It is a bound for small scripts and exact for large ones.
    """

    code: int | None
    signal: int | None
    max_rss_bytes: int | None = None
    cpu_seconds: float | None = None


class Receiver(Protocol):
    """Takes what a script prints, as it comes."""

    def feed(self, chunk: bytes) -> bool:
        """Take a chunk, at once; False asks the pipe to pause until `Process.resume`."""
        ...


class Process(Protocol):
    """A script that runs, in a session and process group of its own."""

    @property
    def pid(self) -> int:
        """Its process id, which is its group's too."""
        ...

    async def wait(self) -> Exit:
        """Wait for the script's own exit, whoever still holds its pipes; what it printed before has been fed by then.

        Cancelling the wait leaves the process alone; it may be waited for again.
        """
        ...

    def resume(self) -> None:
        """Go on reading after a receiver asked to pause."""
        ...

    def signal(self, number: int) -> None:
        """Send a signal to the whole group; harmless when it is gone."""
        ...

    async def finish(self, *, linger: timedelta) -> None:
        """After the exit: feed what descendants still print until they close the pipes or `linger` is over, end them.

        Waits as long as a paused receiver needs for what was printed before. Afterwards no process of the group and no
        descriptor of ours is left.
        """
        ...


class Launcher(Protocol):
    """Starts scripts."""

    async def start(self, command: Command, *, stdout: Receiver, stderr: Receiver) -> Process:
        """Start a script with stdin empty and both outputs read as they come.

        Raises:
            LaunchRefused: this machine cannot start scripts for now.
            LaunchFailed: this script cannot be started at all.
        """
        ...


# --- who listens ---------------------------------------------------------------------------------------------------


class Journal(Protocol):
    """Is told what happens, as it happens: a progress bar, log lines, a test."""

    def note(self, event: str, /, **fields: object) -> None:
        """Take note of a past-tense event and its fields; never fails, never waits."""
        ...

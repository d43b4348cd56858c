"""What a person can ask of a table: its items, how they end, what they print, and its workers.

Every method is thin: what it does is in `operate/`, which is imported when it is first used.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from datetime import UTC, datetime
from enum import StrEnum
from types import TracebackType
from typing import TYPE_CHECKING, Self, TypeVar

from pyanamo_async.app.resources import Resources
from pyanamo_async.core.items import Item, State, Summary
from pyanamo_async.errors import UsageError
from pyanamo_async.host.liveness import LocalProcesses
from pyanamo_async.ports import Description, Store

if TYPE_CHECKING:
    from pyanamo_async.core.outcomes import Outcome
    from pyanamo_async.core.selection import Selection
    from pyanamo_async.fleet.membership import WorkerStatus
    from pyanamo_async.operate.failures import FailureGroup
    from pyanamo_async.operate.jobs import WorkerJob
    from pyanamo_async.operate.logs import LogReader, TaskLog

Choice = TypeVar("Choice", bound=StrEnum)


class TableReader:
    """One table of items, and the output of their tasks: the half of `Table` that changes nothing."""

    def __init__(self, resources: Resources) -> None:
        self._resources = resources
        self._store: Store | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close connections; harmless when repeated, and done by leaving an `async with` block."""
        self._store = None
        await self._resources.close()

    @property
    def address(self) -> str:
        """The address of the table, as given to `open_table`."""
        return str(self._resources.settings.table)

    @property
    def output(self) -> str | None:
        """Where output goes, as `s3://bucket/prefix` or `file:DIR`; None for a DynamoDB table without a bucket."""
        output = self._resources.settings.output
        return str(output) if output else None

    @property
    def region(self) -> str | None:
        """The AWS region that was given."""
        return self._resources.settings.region

    @property
    def skipped_rows(self) -> int:
        """How many rows, of items and workers, could not be read so far and were left out; `doctor` finds them all.

        Counting ends at a thousand.
        """
        return len(self._store.bad_rows) if self._store else 0

    async def describe(self) -> Description:
        """Describe the table: keys, indexes, shards, billing, size in bytes."""
        return await (await self._open()).describe()

    async def items(
        self,
        selection: Selection | None = None,
        *,
        state: State | str | None = None,
        sample: str | None = None,
        sort: str | None = None,
        reverse: bool = False,
    ) -> AsyncIterator[Summary]:
        """List items in summary, all or those of a selection; memory does not grow with their number.

        They come in the order of state and then of time, except those that are named by id, or found by what their
        tasks did without a state. Rows that cannot be read are left out, here and in all listings; `skipped_rows`
        counts them. `state` and `sample` are short for a selection by these.

        With `sort`, the name of a stored field, they come by that: numbers with the largest first, texts and times in
        their order, and what has none last; `reverse` turns that round.

        Raises:
            ItemMissing: the selection names ids that the table does not have; the others are listed before.
            UsageError: a selection stands beside a state or sample, or there is no such state or field.
        """
        from pyanamo_async.operate import listing

        chosen, by = one_selection(selection, state, sample), None if sort is None else listing.find_field(sort, "sort")
        async for summary, _ in listing.list_items(await self._open(), chosen, (), sort=by, reverse=reverse):
            yield summary

    async def item(self, item_id: str) -> Item:
        """Read one item whole: its scripts, and the records of their last attempts.

        Raises:
            ItemMissing: the table has no such item.
            BadRow: its row cannot be read.
        """
        return await (await self._open()).read(item_id)

    async def failures(self, *, sample: str | None = None, tasks: bool = False) -> list[FailureGroup]:
        """Group the failed items by why they failed, then those that are retrying; no item is read whole.

        The largest group comes first. With `tasks` failed items are read whole, and their failed tasks are grouped: a
        nested item may have several.
        """
        from pyanamo_async.operate.failures import failed_and_retrying, failures, task_failures

        store = await self._open()
        return await (task_failures(store, sample) if tasks else failures(failed_and_retrying(store, sample)))

    async def logs(
        self,
        item_id: str,
        task: str | None = None,
        *,
        stream: str = "stdout",
        attempt: int | None = None,
        tail: int | None = None,
    ) -> TaskLog:
        """Find what a task printed to `stdout` or `stderr`; iterate over the result, or await its `text()`.

        `task` is the name, the number or the argument of a nested item's task. By default it is the last attempt that
        ended; output of older ones is found if it was larger than a record holds (2 KB). `tail` keeps only the last so
        many lines.

        Raises:
            ItemMissing: the table has no such item.
            OutputMissing: no attempt has ended, or the one asked for has not.
            UsageError: there is no such task, stream or attempt, or `task` may mean several.
        """
        from pyanamo_async.operate.logs import STREAMS, find_task

        if stream not in STREAMS:
            raise UsageError(f"`stream` is '{stream}'", hint=f"give {' or '.join(STREAMS)}")
        check_streams((), tail)
        item, reader = await self.item(item_id), await self._log_reader()
        return await reader.find(item, find_task(item, task), stream, attempt=attempt, tail=tail)

    async def follow(
        self,
        item_id: str,
        task: str | None = None,
        *,
        show: Callable[[str, bytes], None],
        note: Callable[[str], None] = lambda _: None,
        streams: Sequence[str] = ("stdout",),
    ) -> Outcome | None:
        """Follow what a task prints until its attempt ends: the one that runs, or the next to begin.

        `show` takes the name of a stream and what was printed to it; `note` takes lines about waiting, gaps and the
        end. Return the outcome, or None when it is unknown because the worker vanished.

        Raises:
            ItemMissing: the table has no such item.
            OutputMissing: the task ended, and the table has no record of it.
            UsageError: there are several tasks and none was named, or none has that name.
        """
        from pyanamo_async.host.clock import SystemClock
        from pyanamo_async.operate.follow import Follower

        check_streams(streams)
        store, reader = await self._open(), await self._log_reader()
        return await Follower(
            item_id, task, streams, show, note, store, reader, SystemClock(), LocalProcesses()
        ).follow()

    async def workers(self, *, stale: bool = False) -> list[WorkerStatus]:
        """List workers by last heartbeat; with `stale` only those that died, or were silent for their lease."""
        from pyanamo_async.fleet.membership import list_workers

        listed = await list_workers(await self._open(), now=datetime.now(UTC), processes=LocalProcesses())
        return [each for each in listed if each.vanished or not stale]

    async def worker_jobs(self) -> list[WorkerJob]:
        """List the workers that hold items with their items, and what AWS Batch says of the jobs behind them."""
        from pyanamo_async.operate.jobs import worker_jobs

        return await worker_jobs(await self._open(), await self._resources.jobs())

    async def _open(self) -> Store:
        if self._store is None:
            self._store = await self._resources.store()
        return self._store

    async def _log_reader(self) -> LogReader:
        from pyanamo_async.operate.logs import LogReader

        namespace = (await self.describe()).output_namespace
        resources = self._resources
        return LogReader(namespace, resources.outputs, resources.in_logs, resources.settings.places)


def one_selection(
    selection: Selection | None, state: State | str | None = None, sample: str | None = None
) -> Selection:
    """Return a selection, or that by state and sample, or that of everything.

    Raises:
        UsageError: a selection stands beside a state or sample, or there is no such state.
    """
    from pyanamo_async.core.selection import Selection

    if selection and (state, sample) != (None, None):
        raise UsageError("`selection` excludes `state` and `sample`", hint="put them into the selection")
    states = None if state is None else [choice(State, state, "state")]
    return selection or Selection(states=states, sample=sample, all=states is None and sample is None)


def check_streams(streams: Sequence[str], tail: int | None = None) -> None:
    """Raise `UsageError` for a stream that no task has, or a `tail` below 0."""
    if isinstance(streams, str) or not {*streams} <= {"stdout", "stderr"}:
        raise UsageError(f"`streams` is {streams!r}", hint="give ['stdout'], ['stderr'] or both")
    if tail is not None and tail < 0:
        raise UsageError(f"`tail` is {tail}", hint="give 0 or more")


def choice(kind: type[Choice], value: str, argument: str) -> Choice:
    """Return the member of an enum that an argument names.

    Raises:
        UsageError: there is none.
    """
    try:
        return kind(value)
    except ValueError:
        raise UsageError(f"`{argument}` is '{value}'", hint=f"give one of {', '.join(kind)}") from None

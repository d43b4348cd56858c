"""The public API: `open_table` returns a `Table`, which does all that the command line does.

    async with open_table("sqlite:step.db") as table:
        await table.add([{"itemID": "a", "TaskID": "sample-1", "TaskScript": "echo hello"}])
        result = await table.run(WorkerSettings(items=4))
        print(await (await table.logs("a")).text())

1. Every method raises `TableMissing` when there is no table (except those that create it), `SchemaMismatch` when it is
   not one of ours, `Unavailable` when the service or file does not answer for now, and `Denied` when the credentials do
   not allow the call. `UsageError` means invalid arguments, and names the argument in backticks.
2. Arguments are plain values: durations are `timedelta`, sizes are bytes, choices are enums or their text.
3. Methods are thin: what they do is in `operate/`, which is imported when it is first used.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self, TypeVar

from pyanamo_async.app.locations import DynamoTable
from pyanamo_async.app.resources import Resources
from pyanamo_async.app.settings import (
    DEFAULT_KEY,
    DEFAULT_TABLE,
    OutputSettings,
    WorkerSettings,
    make_settings,
)
from pyanamo_async.core.failure_policy import FailurePolicy
from pyanamo_async.core.items import Counts, Item, State, Summary
from pyanamo_async.core.workers import Desired
from pyanamo_async.errors import UsageError
from pyanamo_async.host.liveness import process_status
from pyanamo_async.ports import Description, EventLog, Store

if TYPE_CHECKING:
    from pyanamo_async.app.bench import BenchReport
    from pyanamo_async.app.running import RunResult
    from pyanamo_async.core.outcomes import Outcome
    from pyanamo_async.operate.checking import CheckedItems
    from pyanamo_async.operate.doctor import Finding
    from pyanamo_async.operate.importing import ImportResult, OnExists
    from pyanamo_async.operate.logs import LogReader, TaskLog
    from pyanamo_async.operate.status import Status
    from pyanamo_async.operate.workers import ReclaimResult, WorkerStatus

Choice = TypeVar("Choice", bound=StrEnum)


def open_table(
    table: str = DEFAULT_TABLE, *, bucket: str | None = None, bucket_key: str = DEFAULT_KEY, region: str | None = None
) -> Table:
    """Return a table, to be used in an `async with` block, which closes its connections.

    `table` is the name of a DynamoDB table, `sqlite:PATH`, or `memory:`. Output goes below the path `bucket_key` of
    `bucket`: its name, `s3://bucket/prefix`, or `file:DIR`; by default to the folder `pyanamo-logs` for a SQLite table,
    and to memory for one in memory. `region` is an AWS region; without it boto3 finds one. No environment variables of
    the command line are read, and nothing is created or contacted yet.

    Raises:
        UsageError: an address is invalid.
    """
    return Table(Resources(make_settings(table=table, bucket=bucket, bucket_key=bucket_key, region=region)))


class Table:
    """One table of items, and the output of their tasks; made by `open_table`."""

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

    # The table

    async def create(self, *, shards: int | None = None, indexes: Path | Sequence[Mapping[str, object]] = ()) -> bool:
        """Create the table and wait until it is usable; return False when it exists already, and is left as it is.

        Both arguments are for DynamoDB. `shards` is the number of parts of the queue, 1 to 999: 16 by default, 64 for
        thousands of workers. `indexes` are further global secondary indexes, as boto3 takes them, or a JSON file.

        Raises:
            UsageError: an argument does not apply to this kind of table, or the file holds no indexes.
        """
        from pyanamo_async.operate.tables import DEFAULT_SHARDS, MAX_SHARDS, read_indexes

        if shards is not None and not isinstance(self._resources.settings.table, DynamoTable):
            raise UsageError(f"`shards` has no effect on table {self.address}", hint="only DynamoDB tables have shards")
        if shards is not None and not 1 <= shards <= MAX_SHARDS:
            raise UsageError(f"`shards` is {shards}", hint=f"give 1 to {MAX_SHARDS}")
        extra = read_indexes(indexes) if isinstance(indexes, Path) else indexes
        return await (await self._open()).create(shards=DEFAULT_SHARDS if shards is None else shards, indexes=extra)

    async def describe(self) -> Description:
        """Describe the table: keys, indexes, shards, billing, size in bytes."""
        return await (await self._open()).describe()

    async def drop(self, *, force: bool = False, dry_run: bool = False) -> int:
        """Delete the table with all its items, and return how many it had; stored output stays where it is.

        With `dry_run` nothing is deleted.

        Raises:
            UsageError: workers may still work on it, and `force` was not given.
        """
        from pyanamo_async.operate import tables

        store = await self._open()
        return await tables.drop(
            store, self.address, force=force, dry_run=dry_run, now=datetime.now(UTC), probe=process_status
        )

    # Items

    async def add(self, rows: Iterable[Mapping[str, object]], *, on_exists: OnExists | str = "skip") -> ImportResult:
        """Add items given as rows with the columns of a task file, and create the table if it is missing.

        The columns are `itemID`, `TaskID` (the sample) and `TaskScript`, and if wanted `TaskArgs`, `MaxFailures`,
        `Timeout` (seconds, a text like `1h30m`, or a timedelta) and `Priority` (0 to 9, 0 first). `TaskScript` may be a
        list of scripts: the tasks of a nested item. Items that exist are skipped, or treated as `on_exists` says:
        `replace` overwrites those that no worker holds, `fail` raises.

        Raises:
            TaskFileInvalid: there are bad rows, of which `problems` lists the first, or none; nothing was added.
            UsageError: items exist and `on_exists` is `fail`.
        """
        from pyanamo_async.operate.checking import check_rows

        return await self.import_file(check_rows(rows), on_exists=on_exists)

    async def import_file(
        self,
        file: str | Path | CheckedItems,
        *,
        on_exists: OnExists | str = "skip",
        dry_run: bool = False,
        progress: Callable[[ImportResult], None] = lambda _: None,
    ) -> ImportResult:
        """Add the items of a task file, and create the table if it is missing.

        `check_task_file` reads files that need options. `on_exists` is as for `add`. With `dry_run` nothing is written.
        `progress` takes the result so far: first before anything is added, then after each batch.

        Raises:
            TaskFileInvalid: the file has bad lines, or no items; nothing was added.
            UsageError: the file cannot be read, or items exist and `on_exists` is `fail`.
        """
        from pyanamo_async.host.clock import SystemClock
        from pyanamo_async.operate import importing
        from pyanamo_async.operate.checking import check_task_file
        from pyanamo_async.operate.tables import DEFAULT_SHARDS

        if isinstance(file, str | Path):
            with check_task_file(file) as checked:
                return await self.import_file(checked, on_exists=on_exists, dry_run=dry_run, progress=progress)
        existing, store = _choice(importing.OnExists, on_exists, "on_exists"), await self._open()
        if dry_run:
            return await importing.preview_import(store, file, on_exists=existing)
        return await importing.import_items(
            store, file, on_exists=existing, shards=DEFAULT_SHARDS, clock=SystemClock(), progress=progress
        )

    async def items(self, *, state: State | str | None = None, sample: str | None = None) -> AsyncIterator[Summary]:
        """List items in the order of state and then of time, in summary; memory does not grow with their number."""
        chosen = _state(state)
        async for summary in (await self._open()).summaries(state=chosen, sample=sample):
            yield summary

    async def item(self, item_id: str) -> Item:
        """Read one item whole: its scripts, and the records of their last attempts.

        Raises:
            ItemMissing: the table has no such item.
        """
        return await (await self._open()).read(item_id)

    async def counts(self) -> Counts:
        """Count items by state, and tasks."""
        return await (await self._open()).counts()

    async def status(self) -> Status:
        """Return the table's progress: items and tasks by state, living workers, items per second, time left."""
        from pyanamo_async.operate.status import status

        return await status(await self._open(), self.address, now=datetime.now(UTC), probe=process_status)

    async def trace(
        self, *, state: State | str | None = None, sample: str | None = None
    ) -> AsyncIterator[Mapping[str, object]]:
        """Yield a row for each task's last attempt that ended, in no order, with the columns of `pyanamo trace`.

        Seconds, CPU_Seconds and the byte counts are numbers, times are ISO 8601 in UTC, unknown values are None.
        """
        from pyanamo_async.core.trace import trace

        chosen = _state(state)
        async for item in (await self._open()).items(state=chosen, sample=sample):
            for row in trace(item):
                yield row

    async def joblog(
        self, *, state: State | str | None = None, sample: str | None = None
    ) -> AsyncIterator[tuple[str, ...]]:
        """Yield the fields of a job log as GNU parallel writes it: a header, then a line for each row of `trace`."""
        from pyanamo_async.core.trace import JOBLOG_COLUMNS, joblog

        chosen, number = _state(state), 0
        await self.describe()  # no header without a table
        yield JOBLOG_COLUMNS
        async for item in (await self._open()).items(state=chosen, sample=sample):
            for line in joblog(item):
                number += 1
                yield (str(number), *line)

    # Output

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

        `task` is the name or number of a nested item's task. By default it is the last attempt that ended; output of
        older ones is found if it was larger than a record holds (2 KB). `tail` keeps only the last so many lines.

        Raises:
            ItemMissing: the table has no such item.
            OutputMissing: no attempt has ended, or the one asked for has not.
            UsageError: there is no such task, stream or attempt.
        """
        from pyanamo_async.operate.logs import STREAMS, TaskLog, find_task

        if stream not in STREAMS:
            raise UsageError(f"`stream` is '{stream}'", hint=f"give {' or '.join(STREAMS)}")
        if tail is not None and tail < 0:
            raise UsageError(f"`tail` is {tail}", hint="give 0 or more")
        item, reader = await self.item(item_id), await self._log_reader()
        return TaskLog(reader, await reader.find(item, find_task(item, task), stream, attempt=attempt), tail)

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

        store, reader = await self._open(), await self._log_reader()
        return await Follower(item_id, task, streams, show, note, store, reader, SystemClock(), process_status).follow()

    # Workers

    async def run(
        self,
        worker: WorkerSettings | None = None,
        output: OutputSettings | None = None,
        *,
        event_log: EventLog | None = None,
        handle_signals: bool = False,
    ) -> RunResult:
        """Run a worker in this process until nothing is left, and return what it did and its exit status.

        `event_log` is told what happens. With `handle_signals`, SIGTERM, SIGINT and SIGHUP stop the worker in order;
        `order` stops it from anywhere. Starting processes is fastest on the loop of `run_on_loop`.

        Raises:
            UsageError: no bucket was given, or settings contradict each other.
            BucketMissing, OutputError: output cannot be stored.
        """
        from pyanamo_async.app.running import run_worker

        settings = replace(
            self._resources.settings, running=worker or WorkerSettings(), storing=output or OutputSettings()
        )
        async with self._resources.with_settings(settings) as resources:
            return await run_worker(resources, event_log=event_log, handle_signals=handle_signals)

    async def workers(self, *, stale: bool = False) -> list[WorkerStatus]:
        """List workers by last heartbeat; with `stale` only those that died, or were silent for their lease."""
        from pyanamo_async.operate.workers import list_workers

        listed = await list_workers(await self._open(), now=datetime.now(UTC), probe=process_status)
        return [each for each in listed if each.vanished or not stale]

    async def order(
        self, desired: Desired | str, worker_id: str | None = None, *, all_workers: bool = False
    ) -> list[str]:
        """Order a worker, or all that are alive, to `drain` (claim nothing more) or to `stop`; return their ids.

        They obey with their next heartbeat, within 20 s by default.

        Raises:
            UsageError: neither or both were chosen, or there is no such worker.
        """
        from pyanamo_async.operate.workers import order

        chosen, now = _choice(Desired, desired, "desired"), datetime.now(UTC)
        store = await self._open()
        return await order(store, chosen, worker_id, all_workers=all_workers, now=now, probe=process_status)

    async def reclaim(self, *, crash_limit: int = FailurePolicy().crash_limit, dry_run: bool = False) -> ReclaimResult:
        """Put back the items of workers that vanished; running workers do so by themselves.

        An item with which `crash_limit` workers have vanished fails instead. With `dry_run` nothing changes, and the
        result names the items.
        """
        from pyanamo_async.operate.workers import reclaim

        store, now = await self._open(), datetime.now(UTC)
        return await reclaim(store, crash_limit=crash_limit, dry_run=dry_run, now=now, probe=process_status)

    # Upkeep

    async def doctor(
        self, *, older_than: timedelta = timedelta(hours=1), remove: bool = False
    ) -> AsyncIterator[Finding]:
        """Find what killed workers left behind: their items, and unfinished output that is older than `older_than`.

        With `remove` that output is deleted.

        Raises:
            UsageError: no bucket was given.
        """
        from pyanamo_async.operate.doctor import Doctor

        store, outputs = await self._open(), await self._resources.outputs()
        namespace = (await store.describe()).output_namespace
        doctor = Doctor(store, outputs, namespace, datetime.now(UTC), process_status)
        async for finding in doctor.examine(older_than=older_than, remove=remove):
            yield finding

    async def bench(self, *, items: int = 200, concurrency: int = 8, stream_bytes: int = 32 << 20) -> BenchReport:
        """Measure a table like this one, its output and this machine, and what an item costs.

        It creates a table of its own, called like this one with `-bench`, and removes it with its output. A worker runs
        `items` of `true`, `concurrency` at once; then `stream_bytes` of output are stored.

        Raises:
            UsageError: the name is taken, or an argument is not positive.
        """
        from pyanamo_async.app.bench import run_bench

        for name, value in (("items", items), ("concurrency", concurrency), ("stream_bytes", stream_bytes)):
            if value < 1:
                raise UsageError(f"`{name}` is {value}", hint="give 1 or more")
        return await run_bench(self._resources, items=items, concurrency=concurrency, stream_bytes=stream_bytes)

    async def _open(self) -> Store:
        if self._store is None:
            self._store = await self._resources.store()
        return self._store

    async def _log_reader(self) -> LogReader:
        from pyanamo_async.operate.logs import LogReader

        namespace = (await self.describe()).output_namespace
        return LogReader(namespace, self._resources.outputs, self._resources.in_logs)


def _state(state: State | str | None) -> State | None:
    return None if state is None else _choice(State, state, "state")


def _choice(kind: type[Choice], value: str, argument: str) -> Choice:
    try:
        return kind(value)
    except ValueError:
        raise UsageError(f"`{argument}` is '{value}'", hint=f"give one of {', '.join(kind)}") from None

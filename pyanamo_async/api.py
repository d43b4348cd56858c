"""The public API: `open_table` returns a `Table`, which does all that the command line does.

    async with open_table("sqlite:step.db") as table:
        await table.add([{"itemID": "a", "TaskID": "sample-1", "TaskScript": "echo hello"}])
        result = await table.run(WorkerSettings(items=4))
        print(await (await table.logs("a")).text())

1. Every method raises `TableMissing` when there is no table (except those that create it), `SchemaMismatch` when it is
   not one of ours, `Unavailable` when the service or file does not answer for now, and `Denied` when the credentials do
   not allow the call. `UsageError` means invalid arguments, and names the argument in backticks.
2. Arguments are plain values: durations are `timedelta`, sizes are bytes, choices are enums or their text.
3. Methods are thin: what they do is in `operate/`, which is imported when it is first used. Those that change nothing
   are in `table_reader`, `table_progress`, `table_results` and `table_report`, those that correct items in
   `table_editor`, those on what DynamoDB takes in `table_capacity`, and those on AWS Batch in `table_batch`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from pyanamo_async.app.locations import DynamoTable
from pyanamo_async.app.output_settings import OutputSettings
from pyanamo_async.app.resources import Resources
from pyanamo_async.app.settings import (
    DEFAULT_KEY,
    DEFAULT_TABLE,
    DEFAULT_UMASK,
    WorkerSettings,
    make_settings,
)
from pyanamo_async.core.workers import Desired
from pyanamo_async.errors import UsageError
from pyanamo_async.host.liveness import LocalProcesses
from pyanamo_async.ports import Creation, EventLog, TableOptions
from pyanamo_async.table_batch import TableBatch
from pyanamo_async.table_reader import choice

if TYPE_CHECKING:
    from pyanamo_async.app.bench import BenchReport
    from pyanamo_async.app.running import RunResult
    from pyanamo_async.operate.checking import CheckedItems
    from pyanamo_async.operate.findings import Finding
    from pyanamo_async.operate.importing import ImportResult, OnExists


def open_table(
    table: str = DEFAULT_TABLE,
    *,
    bucket: str | None = None,
    bucket_key: str = DEFAULT_KEY,
    region: str | None = None,
    umask: int | None = DEFAULT_UMASK,
) -> Table:
    """Return a table, to be used in an `async with` block, which closes its connections.

    `table` is the name of a DynamoDB table, `sqlite:PATH`, or `memory:`. Output goes below the path `bucket_key` of
    `bucket`: its name, `s3://bucket/prefix`, or `file:DIR`; by default to the folder `pyanamo-logs` beside a SQLite
    table, and to memory for one in memory. `region` is an AWS region; without it boto3 finds one. New tables and
    output are their owner's alone: `umask` says what they do not permit, None that this process's umask does. No
    environment variables of the command line are read, and nothing is created or contacted yet.

    Raises:
        UsageError: an address is invalid.
    """
    settings = make_settings(table=table, bucket=bucket, bucket_key=bucket_key, region=region, umask=umask)
    return Table(Resources(settings))


class Table(TableBatch):
    """One table of items, and the output of their tasks; made by `open_table`."""

    async def create(
        self,
        *,
        shards: int | None = None,
        indexes: Path | Sequence[Mapping[str, object]] = (),
        tags: Mapping[str, str] | None = None,
        kms_key: str | None = None,
        point_in_time_recovery: bool = False,
        deletion_protection: bool = False,
    ) -> Creation:
        """Create the table and wait until it is usable; return what there was to do.

        One that exists is left as it is, unless another tool made it and it is empty. All arguments are for DynamoDB:
        `shards`, the number of parts of the queue, 1 to 999, by default 16, with thousands of workers 64; `indexes`,
        as boto3 takes global secondary ones, or a JSON file; the id, ARN or alias of a `kms_key`; recovery for 35 days.

        Raises:
            UsageError: an argument does not apply to this kind of table, or the file holds no indexes.
        """
        from pyanamo_async.operate.tables import check_creation, create

        options = TableOptions(tuple((tags or {}).items()), kms_key or "", point_in_time_recovery, deletion_protection)
        if not isinstance(self._resources.settings.table, DynamoTable):
            check_creation(self.address, shards, options)
        return await create(await self._open(), shards=shards, indexes=indexes, options=options)

    async def drop(self, *, force: bool = False) -> int:
        """Delete the table with all its items, and return how many it had; stored output stays where it is.

        Raises:
            UsageError: workers may still work on it, and `force` was not given.
        """
        from pyanamo_async.operate import tables

        return await tables.drop(await self._open(), self.address, () if force else await self.workers())

    async def add(self, rows: Iterable[Mapping[str, object]], *, on_exists: OnExists | str = "skip") -> ImportResult:
        """Add items given as rows with the columns of a task file, and create the table if it is missing.

        Columns are `itemID`, `TaskID` (the sample) and `TaskScript`, and optionally `TaskArgs`, `MaxFailures`,
        `Timeout` (seconds, text like `1h30m`, a timedelta), `Priority` (0 to 9, 0 first), `Memory` (bytes, or `2G`),
        `Cpus` and `Folders` (`checkpoint,results`, or a list). `TaskScript` may be a list of scripts: the tasks of a
        nested item. Items that exist are skipped, or as `on_exists` says: `update` changes what differs and keeps what
        is done of the same scripts, `replace` nothing, and neither touches what workers hold; `fail` raises.

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

        Without options the file is JSON, a table with a header, or a plain list of commands; `check_task_file` takes
        options, and templates for tables with any columns. `on_exists` is as for `add`. With `dry_run` nothing is
        written. `progress` takes the result so far: first before anything is added, then after each batch.

        Raises:
            TaskFileInvalid: the file has bad lines, no items, or items too large for DynamoDB; nothing was added.
            UsageError: the file cannot be read, or items exist and `on_exists` is `fail`.
        """
        from pyanamo_async.host.clock import SystemClock
        from pyanamo_async.operate import importing
        from pyanamo_async.operate.checking import check_task_file, refuse_oversized
        from pyanamo_async.operate.tables import DEFAULT_SHARDS

        if isinstance(file, str | Path):
            with check_task_file(file) as checked:
                return await self.import_file(checked, on_exists=on_exists, dry_run=dry_run, progress=progress)
        existing, store = choice(importing.OnExists, on_exists, "on_exists"), await self._open()
        if isinstance(self._resources.settings.table, DynamoTable):
            refuse_oversized(file)
        if dry_run:
            return await importing.preview_import(store, file, on_exists=existing, clock=SystemClock())
        return await importing.import_items(
            store, file, on_exists=existing, shards=DEFAULT_SHARDS, clock=SystemClock(), progress=progress
        )

    async def run(
        self,
        worker: WorkerSettings | None = None,
        output: OutputSettings | None = None,
        *,
        event_log: EventLog | None = None,
        handle_signals: bool = False,
        on_stop: Callable[[timedelta], None] = lambda _: None,
    ) -> RunResult:
        """Run a worker in this process until nothing is left, and return what it did and its exit status.

        `event_log` is told what happens. With `handle_signals`, SIGTERM, SIGINT, SIGHUP and the signals by which
        schedulers warn stop the worker in order; `order` stops it from anywhere. `on_stop` is then called, perhaps in a
        signal handler, when it is told to stop, with the time within which it ends unless something is stuck. Starting
        processes is fastest on the loop of `run_on_loop`.

        Raises:
            UsageError: no bucket was given, or settings contradict each other.
            BucketMissing, OutputError: output cannot be stored.
        """
        from pyanamo_async.app.running import run_worker

        settings = replace(
            self._resources.settings, running=worker or WorkerSettings(), storing=output or OutputSettings()
        )
        async with self._resources.with_settings(settings) as resources:
            return await run_worker(resources, event_log=event_log, handle_signals=handle_signals, on_stop=on_stop)

    async def order(
        self, desired: Desired | str, worker_id: str | None = None, *, all_workers: bool = False
    ) -> list[str]:
        """Order a worker, or all that are alive, to `drain` (claim nothing more) or to `stop`; return their ids.

        They obey with their next heartbeat, within 20 s by default.

        Raises:
            UsageError: neither or both were chosen, or there is no such worker.
        """
        from pyanamo_async.operate.workers import order

        chosen, now = choice(Desired, desired, "desired"), datetime.now(UTC)
        store = await self._open()
        return await order(store, worker_id, chosen, everyone=all_workers, now=now, processes=LocalProcesses())

    async def doctor(
        self,
        *,
        older_than: timedelta = timedelta(hours=1),
        remove: bool = False,
        queue: str = "",
        definition: str = "",
        note: Callable[[str], None] = lambda _: None,
    ) -> AsyncIterator[Finding]:
        """Find what would keep workers from working, and what killed ones left behind.

        The former is a file or folder that cannot be written; on AWS credentials (`note` is told whose), table, row,
        index, bucket, key, lifecycle and rights; and of AWS Batch's job `queue` and `definition` rules, time limits,
        image and quota. All is tried by calls that change nothing.

        The latter is items of workers that are gone, rows that cannot be read, and unfinished output that is older than
        `older_than`, which `remove` deletes.

        Raises:
            UsageError: no bucket was given.
        """
        from pyanamo_async.app.doctor import examination

        async for finding in examination(
            self._resources, older_than=older_than, remove=remove, queue=queue, definition=definition, note=note
        ):
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

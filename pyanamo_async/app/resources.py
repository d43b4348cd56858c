"""Open what a command or a worker uses: the only place that chooses between stores and between outputs.

1. An adapter is imported where it is chosen: working on a SQLite file never imports the AWS libraries.
2. What is opened here shares one AWS session, and closes in reverse order.
"""

from __future__ import annotations

from collections.abc import Collection
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any, Self

from pyanamo_async.app.locations import (
    FOLDER,
    LOGS,
    Bucket,
    DynamoTable,
    Folder,
    Memory,
    OutputAddress,
    SqliteTable,
    address_of,
)
from pyanamo_async.app.settings import Settings
from pyanamo_async.errors import RegionMissing, UsageError
from pyanamo_async.ports import (
    CapacityAdmin,
    FleetJobs,
    JobService,
    ObjectStore,
    OutputKey,
    OutputStore,
    Platform,
    Store,
    Units,
)

if TYPE_CHECKING:
    from pyanamo_async.aws.meter import Meter
    from pyanamo_async.aws.session import Aws
    from pyanamo_async.outputs.spool import Spool


class Resources:
    """A table and its outputs, opened on demand and closed on exit; with `metered`, request units are counted."""

    def __init__(self, settings: Settings, *, metered: bool = False) -> None:
        self.settings = settings
        self._metered = metered
        self._meter: Meter | None = None
        self._stack = AsyncExitStack()
        self._session: Aws | None = None
        self._spool: Spool | None = None
        self._memory: dict[type, Any] = {}  # the table and outputs that live in this process

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Close what was opened; harmless when repeated."""
        await self._stack.aclose()

    def with_settings(self, settings: Settings) -> Resources:
        """Return further resources of the same table, with connections of their own; memory is shared."""
        further = Resources(settings, metered=self._metered)
        further._memory = self._memory
        return further

    async def store(self, *, urgent: bool = False) -> Store:
        """Open the table; `urgent` gives heartbeats and settles connections of their own. Creates nothing."""
        store: Store
        match self.settings.table:
            case SqliteTable(path=path):
                from pyanamo_async.store.sqlite import SqliteStore

                store = SqliteStore(path, umask=self.settings.umask)
            case DynamoTable(name=name):
                from pyanamo_async.store.dynamodb import DynamoStore

                aws = await self._aws()
                try:
                    client, urgent_client = await aws.dynamodb(), await aws.urgent() if urgent else None
                except RegionMissing as error:  # more often it is no name of a table at all
                    raise RegionMissing(f"no AWS region is known for the table {name}", hint=error.hint) from error
                store = DynamoStore(name, client, urgent_client, service_time=aws.service_clock.time)
            case Memory():
                from pyanamo_async.store.memory import MemoryStore

                store = self._memory.setdefault(MemoryStore, MemoryStore())
        self._stack.push_async_callback(store.close)
        return store

    async def capacity(self) -> CapacityAdmin:
        """Open what a DynamoDB table takes.

        Raises:
            UsageError: the table is not on DynamoDB.
        """
        match self.settings.table:
            case DynamoTable(name=name):
                from pyanamo_async.aws.capacity import DynamoCapacity

                return DynamoCapacity(name, await self._aws())
        raise UsageError(f"table {self.settings.table} has no capacity", hint="that is for DynamoDB tables only")

    async def platform(self) -> Platform:
        """Open what a table, its output and its workers stand on; nothing is contacted yet."""
        from pyanamo_async.aws.platform import AwsPlatform
        from pyanamo_async.store.dynamodb.rows import QUEUE_INDEX
        from pyanamo_async.store.dynamodb.writes import KEY

        table, output = self.settings.table, self.settings.output
        return AwsPlatform(
            await self._aws(),
            table=table.name if isinstance(table, DynamoTable) else "",
            key=KEY,
            index=QUEUE_INDEX,
            bucket=output.name if isinstance(output, Bucket) else "",
            prefix=output.prefix if isinstance(output, Bucket) else "",
        )

    async def jobs(self) -> JobService:
        """Open what knows of jobs of AWS Batch, whatever kind of table it is; nothing is contacted yet."""
        from pyanamo_async.aws.batch import BatchJobs

        return BatchJobs(await self._aws())

    async def fleet_jobs(self) -> FleetJobs:
        """Open what submits and ends workers as jobs of AWS Batch; nothing is contacted yet."""
        from pyanamo_async.aws.batch import BatchFleet

        return BatchFleet(await self._aws())

    def units(self) -> Units | None:
        """Return the request units charged for tables so far; None where there is no charge, or no meter."""
        return self._meter.units if self._meter and isinstance(self.settings.table, DynamoTable) else None

    async def outputs(self, location: str = "", *, at: OutputAddress | None = None) -> OutputStore:
        """Open where new output goes, or what holds the stored output at a location, or what is `at` an address.

        Raises:
            UsageError: no bucket was given.
        """
        if location.startswith(LOGS):
            return await self._logs("", "", behind=await self.outputs(FOLDER))
        address = at or (address_of(location) if location else self.settings.need_output())
        outputs: OutputStore
        match address:
            case Folder(path=path, key=key):
                from pyanamo_async.outputs.files import FileOutputs

                outputs = FileOutputs(path, key, umask=self.settings.umask)
            case Bucket(name=name, prefix=prefix):
                from pyanamo_async.outputs.s3 import S3Outputs, open_bucket
                from pyanamo_async.outputs.spool import Spool

                client, storing = await (await self._aws()).s3(), self.settings.storing
                self._spool = Spool(storing.spool_bytes)
                outputs = S3Outputs(open_bucket(client, name, sse=storing.sse), prefix, spool=self._spool)
            case Memory():
                from pyanamo_async.outputs.memory import MemoryOutputs

                outputs = self._memory.setdefault(MemoryOutputs, MemoryOutputs())
        return outputs

    async def objects(self, location: str = "", *, at: OutputAddress | None = None) -> ObjectStore:
        """Open where new files of tasks go, or what holds the stored ones at a location, or what is `at` an address.

        Raises:
            UsageError: no bucket was given.
        """
        address = at or (address_of(location) if location else self.settings.need_output())
        match address:
            case Folder(path=path, key=key):
                from pyanamo_async.outputs.files import FileObjects

                return FileObjects(path, key, umask=self.settings.umask)
            case Bucket(name=name, prefix=prefix):
                from pyanamo_async.outputs.s3 import S3Objects, open_bucket

                bucket = open_bucket(await (await self._aws()).s3(), name, sse=self.settings.storing.sse)
                return S3Objects(bucket, prefix, spool=self._spool)
        from pyanamo_async.outputs.memory import MemoryObjects

        objects: MemoryObjects = self._memory.setdefault(MemoryObjects, MemoryObjects())
        return objects

    async def worker_outputs(self, worker_id: str) -> OutputStore:
        """Open where a worker's output goes: a log group, if there is one, in a stream of its own; else the bucket."""
        outputs, group = await self.outputs(), self.settings.log_group
        if not group:
            return outputs
        from pyanamo_async.outputs.cloudwatch import stream_name

        return await self._logs(group, stream_name(await self._output_namespace(), worker_id), behind=outputs)

    def in_logs(self, key: OutputKey, known: Collection[str]) -> str:
        """Return where in CloudWatch Logs output without a record may be; empty where nothing suggests that.

        `known` are the locations of another attempt's output: if that is in CloudWatch Logs, this may be in its group.
        """
        from pyanamo_async.outputs.cloudwatch import LogLocation, search_location

        groups = [LogLocation.parse(location).group for location in known if location.startswith(LOGS)]
        if not groups and not isinstance(self.settings.table, DynamoTable):
            return ""
        return search_location(groups[0] if groups else self.settings.own_log_group, key)

    async def _output_namespace(self) -> str:
        if isinstance(self.settings.table, DynamoTable):
            return self.settings.table.name
        return (await (await self.store()).describe()).output_namespace

    async def _logs(self, group: str, stream: str, *, behind: OutputStore) -> OutputStore:
        from pyanamo_async.host.clock import SystemClock
        from pyanamo_async.outputs.cloudwatch import CloudWatchOutputs
        from pyanamo_async.outputs.spool import Spool

        client = await (await self._aws()).client("logs")
        spool = self._spool or Spool(self.settings.storing.spool_bytes)
        retention = self.settings.storing.cloudwatch_retention
        return CloudWatchOutputs(
            client,
            group,
            stream,
            fallback=behind,
            spool=spool,
            clock=SystemClock(),
            retention_days=retention.days if retention else None,
        )

    async def _aws(self) -> Aws:
        if self._session is None:
            from pyanamo_async.aws.session import Aws

            if self._metered:
                from pyanamo_async.aws.meter import Meter

                self._meter = Meter()
            from pyanamo_async.host.limits import usable_cpus

            items = self.settings.running.items
            at_once = items if isinstance(items, int) else usable_cpus()
            session = Aws(region=self.settings.region, concurrency=at_once, meter=self._meter)
            self._session = await self._stack.enter_async_context(session)
        return self._session

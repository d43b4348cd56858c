"""WIRES: the only place that knows which adapter is real.

Adapters are imported where they are chosen: whoever works on a SQLite file never pays for AWS. What is opened together
shares one AWS session, and is closed in reverse.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection
from contextlib import AsyncExitStack
from types import TracebackType
from typing import TYPE_CHECKING, Self

from pyanamo_async.app.locations import (
    FOLDER,
    LOGS,
    S3,
    Bucket,
    DynamoTable,
    Folder,
    OutputAddress,
    SqliteTable,
    read_output,
)
from pyanamo_async.app.settings import Settings
from pyanamo_async.ports import EventLog, OutputKey, OutputStore, Store, Units

if TYPE_CHECKING:
    from pyanamo_async.aws.meter import Meter
    from pyanamo_async.aws.session import Aws
    from pyanamo_async.outputs.spool import Spool


class Resources:
    """What a command works with, opened as it asks for it, closed when it is left; `metered` tells what that costs."""

    def __init__(self, settings: Settings, *, metered: bool = False) -> None:
        self._settings = settings
        self._metered = metered
        self._meter: Meter | None = None
        self._stack = AsyncExitStack()
        self._session: Aws | None = None
        self._spool: Spool | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stack.aclose()

    async def store(self, *, urgent: bool = False) -> Store:
        """Open the table; `urgent` gives beats and settles connections of their own. Creates nothing."""
        store: Store
        match self._settings.table:
            case SqliteTable(path=path):
                from pyanamo_async.store.sqlite import SqliteStore

                store = SqliteStore(path)
            case DynamoTable(name=name):
                from pyanamo_async.store.dynamodb import DynamoStore

                aws = await self._aws()
                client, urgent_client = await aws.dynamodb(), await aws.urgent() if urgent else None
                store = DynamoStore(name, client, urgent_client, service_time=aws.service_clock.time)
        self._stack.push_async_callback(store.close)
        return store

    def units(self) -> Units | None:
        """Tell what was charged for tables until now; None where nobody charges, or nobody meters."""
        return self._meter.units if self._meter and isinstance(self._settings.table, DynamoTable) else None

    async def outputs(self, location: str = "") -> OutputStore:
        """Open where new output goes, or what a location of older output is in, wherever that is.

        Raises:
            UsageError: nobody said where new output goes.
        """
        if location.startswith(LOGS):
            return await self._logs("", "", behind=await self.outputs(FOLDER))
        address = _address_of(location) if location else self._settings.need_output()
        outputs: OutputStore
        match address:
            case Folder(path=path, key=key):
                from pyanamo_async.outputs.files import FileOutputs

                outputs = FileOutputs(path, key)
            case Bucket(name=name, prefix=prefix):
                from pyanamo_async.outputs.s3 import S3Outputs

                keeping = self._settings.keeping
                client = await (await self._aws()).s3()
                outputs = S3Outputs(client, name, prefix, sse=keeping.sse, spool_bytes=keeping.spool_bytes)
                self._spool = outputs.spool
        self._stack.push_async_callback(outputs.close)
        return outputs

    async def worker_outputs(self, worker_id: str) -> OutputStore:
        """Open where the output of a worker goes: into a log group first, when there is one, in a stream of its own."""
        outputs, group = await self.outputs(), self._settings.keeping.log_group
        if not group:
            return outputs
        from pyanamo_async.outputs.cloudwatch import stream_of

        return await self._logs(group, stream_of(await self._output_namespace(), worker_id), behind=outputs)

    def in_logs(self, key: OutputKey, known: Collection[str]) -> str:
        """Tell where in CloudWatch Logs output is that no record tells of; empty where nothing speaks for it.

        `known` are the locations of what another attempt printed: where that is in Logs, this may be in the same group.
        """
        from pyanamo_async.outputs.cloudwatch import Span, anywhere

        groups = [Span.read(location).group for location in known if location.startswith(LOGS)]
        if not groups and isinstance(self._settings.table, SqliteTable):
            return ""
        return anywhere(groups[0] if groups else self._settings.own_log_group, key)

    async def _output_namespace(self) -> str:
        match self._settings.table:
            case SqliteTable():
                return (await (await self.store()).describe()).output_namespace
            case DynamoTable(name=name):
                return name

    async def _logs(self, group: str, stream: str, *, behind: OutputStore) -> OutputStore:
        from pyanamo_async.host.clock import SystemClock
        from pyanamo_async.outputs.cloudwatch import CloudWatchOutputs
        from pyanamo_async.outputs.patience import Patience
        from pyanamo_async.outputs.spool import Spool

        client = await (await self._aws()).client("logs")
        spool = self._spool or Spool(self._settings.keeping.spool_bytes, Patience())
        return CloudWatchOutputs(client, group, stream, behind=behind, spool=spool, clock=SystemClock())

    async def _aws(self) -> Aws:
        if self._session is None:
            from pyanamo_async.aws.session import Aws

            if self._metered:
                from pyanamo_async.aws.meter import Meter

                self._meter = Meter()
            session = Aws(region=self._settings.region, concurrency=self._settings.running.items, meter=self._meter)
            self._session = await self._stack.enter_async_context(session)
        return self._session


def run_worker(settings: Settings, event_log: EventLog) -> int:
    """Run a worker to its end and return the exit status that says how it was."""
    from pyanamo_async.app.bootstrap import who, work
    from pyanamo_async.execution import run

    async def main() -> int:
        async with Resources(settings) as opened:
            me = who()
            store = await opened.store(urgent=True)
            outputs = await opened.worker_outputs(me.worker_id)
            return await work(settings, me, store=store, outputs=outputs, event_log=event_log)

    return run(main(), loop=settings.running.loop)


def run_bench(settings: Settings, bench: Callable[[Resources], Awaitable[None]]) -> None:
    """Measure, on the loop that workers run on."""
    from pyanamo_async.execution import run

    async def main() -> None:
        async with Resources(settings, metered=True) as opened:
            await bench(opened)

    run(main(), loop=settings.running.loop)


async def run_beside(settings: Settings, opened: Resources, outputs: OutputStore | None, event_log: EventLog) -> int:
    """Run a worker in the caller's loop, with the caller's signals; without outputs nothing that it prints is kept."""
    from pyanamo_async.app.bootstrap import who, work_until
    from pyanamo_async.outputs.memory import MemoryOutputs
    from pyanamo_async.worker.stop import Stop

    store = await opened.store(urgent=True)  # one that has learned nothing yet of the table
    keep = outputs or MemoryOutputs()
    try:
        return await work_until(Stop(), settings, who(), store=store, outputs=keep, event_log=event_log)
    finally:
        await store.close()


def _address_of(location: str) -> OutputAddress:
    """Find the folder or bucket in a location like `file:/logs/a.gz` or `s3://bucket/key`."""
    container = location.removeprefix(S3).partition("/")[0] if location.startswith(S3) else FOLDER + "/"
    return read_output(container, key="")

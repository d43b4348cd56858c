"""Output of up to 10 MB in CloudWatch Logs; larger output goes to a fallback store.

1. An output is gathered until it ends, because only its size decides where it goes; the spool bounds the memory.
2. It is sent as a whole at its end, so an aborted output leaves no event.
3. What the service does not take (no permission, events rejected for a wrong clock) goes to the fallback store.
4. All outputs of a worker share one stream, created at its first use: an account can create only 50 a second.
5. Where no record says which stream holds an output, reading searches the log group.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, quote, unquote, urlsplit

from pyanamo_async.errors import OutputError, OutputMissing
from pyanamo_async.host.retry import RetrySchedule
from pyanamo_async.outputs.events import EventJoiner, batches, event_prefix, events
from pyanamo_async.outputs.keys import safe_name
from pyanamo_async.outputs.log_stream import LogStream
from pyanamo_async.outputs.retrying import READ_SCHEDULE, WRITE_SCHEDULE
from pyanamo_async.outputs.spool import Part, Spool
from pyanamo_async.ports import Clock, OutputKey, OutputStore, Sink, UnfinishedOutput

if TYPE_CHECKING:
    from types_aiobotocore_logs import CloudWatchLogsClient

SCHEME = "logs://"
LARGE_BYTES = 10_000_000
_READ_BYTES = 256 * 1024
_PAUSES_S = (0.5, 1.0, 2.0, 4.0)  # events can be read only some time after they were sent
_RECENT = timedelta(minutes=1)
_NOT_IN_STREAM_NAMES = str.maketrans(":*", "__")  # the id of a Batch job contains them

logger = logging.getLogger(__name__)


def stream_name(table: str, worker: str) -> str:
    """Return the name of a worker's stream; it begins with the table, because tables may share a log group."""
    return safe_name(table) + "/" + worker.translate(_NOT_IN_STREAM_NAMES)


def search_location(group: str, key: OutputKey) -> str:
    """Return a location that makes `read` search the streams of all workers for an output."""
    return LogLocation(group, stream_name(key.table, ""), event_prefix(key), None).text


class CloudWatchOutputs:
    """An `OutputStore`: stream `stream` of log group `group`, and the store `fallback` for larger output.

    The group, if it has to be created, keeps events for `retention_days`. The caller owns the client. `read` takes the
    locations of both.
    """

    def __init__(
        self,
        client: CloudWatchLogsClient,
        group: str,
        stream: str,
        *,
        fallback: OutputStore,
        spool: Spool,
        clock: Clock,
        retention_days: int | None = None,
        schedule: RetrySchedule = WRITE_SCHEDULE,
    ) -> None:
        self._stream = LogStream(client, group, stream, schedule, retention_days)
        self._fallback = fallback
        self._spool = spool
        self._clock = clock

    async def check(self) -> None:
        """Check that events may be sent, create the group if it is missing, and check the fallback store."""
        await self._stream.check()
        await self._fallback.check()

    def open(self, key: OutputKey) -> Sink:
        return _LogsSink(self._stream, key, Part(self._spool), self._clock, self._fallback)

    def location(self, key: OutputKey) -> str:
        """Return the location in the fallback store: only a record knows the location in Logs."""
        return self._fallback.location(key)

    async def read(self, location: str, *, start: int = 0) -> AsyncIterator[bytes]:
        """Stream the output at a location, in Logs or in the fallback store."""
        if not location.startswith(SCHEME):
            async for chunk in self._fallback.read(location, start=start):
                yield chunk
            return
        async for chunk in self._joined(location):
            if len(chunk) > start:
                yield chunk[start:]
            start = max(0, start - len(chunk))

    def unfinished(self, table: str) -> AsyncIterator[UnfinishedOutput]:
        """List unfinished output of the fallback store: to Logs, output is sent as a whole."""
        return self._fallback.unfinished(table)

    async def discard(self, unfinished: UnfinishedOutput) -> None:
        """Discard it in the fallback store."""
        await self._fallback.discard(unfinished)

    async def remove(self, location: str) -> None:
        """Remove it from the fallback store; events in Logs go when the retention of their group ends."""
        await self._fallback.remove(location)

    async def _joined(self, location: str) -> AsyncIterator[bytes]:
        where = LogLocation.parse(location)
        joiner = EventJoiner(where.prefix)
        stream = replace(self._stream, group=where.group, name=where.stream, schedule=READ_SCHEDULE)
        for pause_s in (*_PAUSES_S, 0.0):
            async for message in stream.messages(where.prefix, where.time):
                if chunk := joiner.feed(message):
                    yield chunk
                if joiner.is_complete:
                    return
            if not where.is_recent(self._clock.now()):
                break
            await asyncio.sleep(pause_s)
        raise OutputMissing(
            f"event {joiner.joined} is missing at {location}",
            hint="new events appear after some seconds; old events are deleted when the retention of their group ends",
        )


@dataclass(frozen=True, slots=True)
class LogLocation:
    """Where the events of one output are: `time` is from when to when, in milliseconds, both included.

    Without `time`, the worker is not known either, and `stream` is what the names of the table's streams begin with.
    """

    group: str
    stream: str
    prefix: str
    time: tuple[int, int] | None

    @property
    def text(self) -> str:
        """Return the location as text."""
        place = f"{SCHEME}{quote(self.group, safe='')}/{quote(self.stream, safe='')}?mark={self.prefix}"
        return f"{place}&from={self.time[0]}&to={self.time[1]}" if self.time else place

    def is_recent(self, now: datetime) -> bool:
        """Return whether the events were sent so recently that not all of them can be read yet."""
        return self.time is not None and now.timestamp() - self.time[1] / 1000 < _RECENT.total_seconds()

    @classmethod
    def parse(cls, text: str) -> LogLocation:
        """Parse a location; raise `OutputMissing` when it is not one."""
        url = urlsplit(text)
        query = dict(parse_qsl(url.query))
        try:
            time = (int(query["from"]), int(query["to"])) if "from" in query else None
            return cls(unquote(url.netloc), unquote(url.path[1:]), query["mark"], time)
        except (KeyError, ValueError) as error:
            raise OutputMissing(f"{text} is not a location in CloudWatch Logs") from error


class _LogsSink:
    def __init__(self, stream: LogStream, key: OutputKey, gathered: Part, clock: Clock, fallback: OutputStore) -> None:
        self._stream = stream
        self._key = key
        self._gathered = gathered
        self._clock = clock
        self._fallback = fallback
        self._large: Sink | None = None

    async def write(self, chunk: bytes) -> None:
        if self._large is None and self._gathered.size + len(chunk) <= LARGE_BYTES:
            await self._gathered.append(chunk)
        else:
            await (await self._move_to_fallback()).write(chunk)

    async def close(self) -> str:
        if self._large is not None:
            return await self._large.close()
        try:
            location = await self._send()
        except OutputError as error:
            logger.warning("output goes to the fallback store, not to CloudWatch Logs: %s", error)
            return await (await self._move_to_fallback()).close()
        self._gathered.close()
        return location

    async def abort(self) -> None:
        self._gathered.close()
        if self._large is not None:
            await self._large.abort()

    async def _send(self) -> str:
        prefix = event_prefix(self._key)
        requests = batches(events(prefix, self._gathered.body()))
        times = [await self._stream.put(batch, self._clock) for batch in requests]
        return LogLocation(self._stream.group, self._stream.name, prefix, (min(times), max(times))).text

    async def _move_to_fallback(self) -> Sink:
        """Return the sink of the fallback store, after moving there what was gathered."""
        if self._large is None:
            self._large = self._fallback.open(self._key)
            body = self._gathered.body()
            while chunk := body.read(_READ_BYTES):
                await self._large.write(chunk)
            self._gathered.close()
        return self._large

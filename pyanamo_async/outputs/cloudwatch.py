"""Output of up to 10 MB in CloudWatch Logs, larger output in the store behind.

An output is gathered until it ends, for only then it is known where it goes; the spool bounds the memory that takes. It
is sent when it is whole, so that an aborted one leaves no event; what the service does not take (no permission, events
it rejects for a wrong clock) goes to the store behind. One stream serves all outputs of a worker, as streams are
rationed: 50 new ones a second for an account. Where a record no longer tells the stream, the group is searched.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, quote, unquote, urlsplit

from pyanamo_async.errors import OutputError, OutputMissing
from pyanamo_async.outputs.download import A_MOMENT
from pyanamo_async.outputs.events import Rejoiner, batches, events, mark
from pyanamo_async.outputs.keys import name
from pyanamo_async.outputs.log_stream import LogStream
from pyanamo_async.outputs.patience import IMPATIENT, Patience
from pyanamo_async.outputs.sink import undone_by
from pyanamo_async.outputs.spool import Part, Spool
from pyanamo_async.ports import Clock, OutputKey, OutputStore, Sink, Unfinished

if TYPE_CHECKING:
    from types_aiobotocore_logs import CloudWatchLogsClient

SCHEME = "logs://"
LARGE_BYTES = 10_000_000
_READ_BYTES = 256 * 1024
_UNTIL_SEEN_S = (0.5, 1.0, 2.0, 4.0)  # events show some time after they were sent
_YOUNG = timedelta(minutes=1)
_IN_NO_STREAM = str.maketrans(":*", "__")  # as in the id of a Batch job

logger = logging.getLogger(__name__)


def stream_of(table: str, worker: str) -> str:
    """Name the stream of a worker: tables may share a group, and of each the streams are found by how they begin."""
    return name(table) + "/" + worker.translate(_IN_NO_STREAM)


def anywhere(group: str, key: OutputKey) -> str:
    """Write as a location that an output is somewhere in a group: reading it searches the streams of all workers."""
    return Span(group, stream_of(key.table, ""), mark(key), None).location


class CloudWatchOutputs:
    """An `OutputStore`: stream `stream` of `group`, and `behind` it the store for what is larger.

    The client is the caller's; closing closes the store behind. `read` knows the locations of both.
    """

    def __init__(
        self,
        client: CloudWatchLogsClient,
        group: str,
        stream: str,
        *,
        behind: OutputStore,
        spool: Spool,
        clock: Clock,
        patience: Patience | None = None,
    ) -> None:
        self._client = client
        self._stream = LogStream(client, group, stream, patience or Patience())
        self._behind = behind
        self._spool = spool
        self._clock = clock

    async def check(self) -> None:
        """Make the stream, at once or not at all, and check the store behind."""
        await LogStream(self._client, self._stream.group, self._stream.name, IMPATIENT).make()
        await self._behind.check()

    def open(self, key: OutputKey) -> Sink:
        """Start a sink."""
        return _LogsSink(self._stream, key, self._spool.part(), self._clock, self._behind)

    def location(self, key: OutputKey) -> str:
        """Tell where the output of a key stands in the store behind: only a record knows its place in Logs."""
        return self._behind.location(key)

    async def read(self, location: str, *, start: int = 0) -> AsyncIterator[bytes]:
        """Stream what stands at a location, in Logs or in the store behind."""
        if not location.startswith(SCHEME):
            async for piece in self._behind.read(location, start=start):
                yield piece
            return
        async for piece in self._rejoined(location):
            if len(piece) > start:
                yield piece[start:]
            start = max(0, start - len(piece))

    def unfinished(self, table: str) -> AsyncIterator[Unfinished]:
        """List what is under way in the store behind: to Logs output goes whole."""
        return self._behind.unfinished(table)

    async def discard(self, unfinished: Unfinished) -> None:
        """Remove it from the store behind."""
        await self._behind.discard(unfinished)

    async def remove(self, key: OutputKey) -> None:
        """Remove it from the store behind: events of Logs go with their group's retention."""
        await self._behind.remove(key)

    async def close(self) -> None:
        """Close the store behind."""
        await self._behind.close()

    async def _rejoined(self, location: str) -> AsyncIterator[bytes]:
        span = Span.read(location)
        rejoiner = Rejoiner(span.marked)
        stream = LogStream(self._client, span.group, span.stream, A_MOMENT)
        for pause_s in (*_UNTIL_SEEN_S, 0.0):
            async for message in stream.messages(*span.time) if span.time else stream.search(span.marked):
                if piece := rejoiner.feed(message):
                    yield piece
                if rejoiner.is_whole:
                    return
            if not span.is_young(self._clock.now()):
                break
            await asyncio.sleep(pause_s)
        raise OutputMissing(
            f"event {rejoiner.joined} is missing at {location}",
            hint="new events show after some seconds; old ones are deleted when the group's retention ends",
        )


@dataclass(frozen=True, slots=True)
class Span:
    """Where the events of one output are: `time` is from when to when, in milliseconds, both included.

    Without it, who wrote them is not known either: `stream` is what the names of the table's streams begin with.
    """

    group: str
    stream: str
    marked: str
    time: tuple[int, int] | None

    @property
    def location(self) -> str:
        """Write it as a location."""
        place = f"{SCHEME}{quote(self.group, safe='')}/{quote(self.stream, safe='')}?mark={self.marked}"
        return f"{place}&from={self.time[0]}&to={self.time[1]}" if self.time else place

    def is_young(self, now: datetime) -> bool:
        """Tell whether its events were sent so lately that not all of them may be seen yet."""
        return self.time is not None and now.timestamp() - self.time[1] / 1000 < _YOUNG.total_seconds()

    @classmethod
    def read(cls, location: str) -> Span:
        """Read a location; raises `OutputMissing` when it is none."""
        url = urlsplit(location)
        said = dict(parse_qsl(url.query))
        try:
            time = (int(said["from"]), int(said["to"])) if "from" in said else None
            return cls(unquote(url.netloc), unquote(url.path[1:]), said["mark"], time)
        except (KeyError, ValueError) as error:
            raise OutputMissing(f"{location} is no place in CloudWatch Logs") from error


class _LogsSink:
    def __init__(self, stream: LogStream, key: OutputKey, gathered: Part, clock: Clock, behind: OutputStore) -> None:
        self._stream = stream
        self._key = key
        self._gathered = gathered
        self._clock = clock
        self._behind = behind
        self._large: Sink | None = None

    async def write(self, chunk: bytes) -> None:
        await undone_by(self.abort, self._take(chunk))

    async def close(self) -> str:
        return await undone_by(self.abort, self._finish())

    async def abort(self) -> None:
        self._gathered.close()
        if self._large is not None:
            await self._large.abort()

    async def _take(self, chunk: bytes) -> None:
        if self._large is None and self._gathered.size + len(chunk) <= LARGE_BYTES:
            await self._gathered.append(chunk)
        else:
            await (await self._moved()).write(chunk)

    async def _finish(self) -> str:
        if self._large is not None:
            return await self._large.close()
        try:
            location = await self._send()
        except OutputError as error:
            logger.warning("output goes to the store behind CloudWatch Logs: %s", error)
            return await (await self._moved()).close()
        self._gathered.close()
        return location

    async def _send(self) -> str:
        marked = mark(self._key)
        requests = batches(events(marked, self._chunks()))
        times = [await self._stream.put(batch, self._clock) for batch in requests]
        return Span(self._stream.group, self._stream.name, marked, (min(times), max(times))).location

    async def _moved(self) -> Sink:
        """Give the sink behind, into which what was gathered moves first."""
        if self._large is None:
            self._large = self._behind.open(self._key)
            for chunk in self._chunks():
                await self._large.write(chunk)
            self._gathered.close()
        return self._large

    def _chunks(self) -> Iterator[bytes]:
        body = self._gathered.body()
        return iter(lambda: body.read(_READ_BYTES), b"")

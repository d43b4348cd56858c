"""The requests that output makes to one stream of CloudWatch Logs.

1. The group is created when it is missing, and the stream when it is first written to: an account can create only 50
   streams a second, and many workers write nothing here.
2. One task of a worker creates; the others wait for it.
3. Events carry the time of their sending: never too old for the service, and in order within a request.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from pyanamo_async.aws.errors import translated
from pyanamo_async.core.text.plural import plural
from pyanamo_async.errors import OutputError, OutputMissing
from pyanamo_async.host.retry import RetrySchedule
from pyanamo_async.outputs.retrying import retry_output
from pyanamo_async.ports import Clock

if TYPE_CHECKING:
    from types_aiobotocore_logs import CloudWatchLogsClient

T = TypeVar("T")

CHECK = "check"

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class LogStream:
    """A stream to write and to read. Methods raise `OutputError` when the schedule ends.

    A group that is created keeps events for `retention_days`, by default for ever.
    """

    client: CloudWatchLogsClient
    group: str
    name: str
    schedule: RetrySchedule
    retention_days: int | None = None
    creating: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def put(self, messages: list[str], clock: Clock) -> int:
        """Send events in one request and return their time, in milliseconds.

        Raises:
            OutputError: the events cannot be sent, or the service rejected some of them.
        """
        at = int(clock.now().timestamp() * 1000)
        events = [{"timestamp": at, "message": message} for message in messages]
        send = partial(self._request, self.client.put_log_events, logStreamName=self.name, logEvents=events)
        try:
            response = await send()
        except OutputMissing:
            response = await self._send_and_create(send)
        if rejected := response.get("rejectedLogEventsInfo"):
            raise OutputError(f"{self._title} rejected events ({rejected})", hint="is this machine's clock right?")
        return at

    async def check(self) -> None:
        """Find out whether events may be sent, and create the group if it is missing.

        The event is for a stream that does not exist: it is refused for that, unless it is refused for more.

        Raises:
            Unavailable: the service does not answer for now; nothing is retried here.
        """
        event: Any = {"timestamp": int(time.time() * 1000), "message": CHECK}
        name = f"{self.name}/{CHECK}"
        try:
            await self._ask(partial(self.client.put_log_events, logStreamName=name, logEvents=[event]))
        except _GroupMissing:
            await self._create_group(self._ask)
        except OutputMissing:
            return

    async def _send_and_create(self, send: Callable[[], Awaitable[T]]) -> T:
        async with self.creating:
            try:
                return await send()  # another task may have created the stream
            except OutputMissing:
                await self._create()
                return await send()

    async def _create(self) -> None:
        """Create the stream, and the group too, unless they exist."""
        create_stream = partial(self._unless_there, self.client.create_log_stream, logStreamName=self.name)
        try:
            await self._request(create_stream)
        except OutputMissing:
            await self._create_group(self._request)
            await self._request(create_stream)

    async def _create_group(self, request: Callable[..., Awaitable[bool]]) -> None:
        if not await request(partial(self._unless_there, self.client.create_log_group)):
            return
        kept = "for ever. hint: a retention ends that, and what it costs"
        if self.retention_days is not None:
            keep: Any = partial(self.client.put_retention_policy, retentionInDays=self.retention_days)
            await request(keep)
            kept = f"for {plural(self.retention_days, 'day')}"
        logger.warning("%s was created and keeps events %s", self._title, kept)

    async def messages(self, phrase: str, sent: tuple[int, int] | None) -> AsyncIterator[str]:
        """Read the messages of the streams whose names begin with this one's: those of a time, or with a phrase.

        `sent` is from when to when, in milliseconds, both ends included. Without it the service looks through
        everything in those streams for the phrase, which may take minutes.

        Raises:
            OutputMissing: there is no such group.
        """
        wanted: dict[str, Any] = (
            {"startTime": sent[0], "endTime": sent[1]} if sent else {"filterPattern": f'"{phrase}"'}
        )
        while True:
            response = await self._request(self.client.filter_log_events, logStreamNamePrefix=self.name, **wanted)
            for event in response["events"]:
                if event["logStreamName"].startswith(self.name):  # not every server filters by prefix
                    yield event["message"]
            if "nextToken" not in response:
                return
            wanted["nextToken"] = response["nextToken"]

    async def _unless_there(self, create: Callable[..., Awaitable[object]], **names: str) -> bool:
        """Create something; return whether it was missing."""
        with suppress(self.client.exceptions.ResourceAlreadyExistsException):
            await create(**names)
            return True
        return False

    @property
    def _title(self) -> str:
        return f"log group '{self.group}'"

    async def _request(self, call: Callable[..., Awaitable[T]], **asked: object) -> T:
        return await retry_output(partial(self._ask, call, **asked), self.schedule)

    async def _ask(self, call: Callable[..., Awaitable[T]], **asked: object) -> T:
        """Make a request, once."""
        with translated(self._title, otherwise=OutputError):
            try:
                return await call(logGroupName=self.group, **asked)
            except self.client.exceptions.ResourceNotFoundException as error:
                missing = _GroupMissing if "log group" in str(error) else OutputMissing
                raise missing(f"{self._title} has no stream '{self.name}'") from error


class _GroupMissing(OutputMissing):
    pass

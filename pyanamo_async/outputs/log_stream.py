"""The requests that output makes to one stream of CloudWatch Logs.

1. The group and the stream are created when they are missing.
2. Events carry the time of their sending: never too old for the service, and in order within a request.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from pyanamo_async.aws.errors import translated
from pyanamo_async.errors import OutputError, OutputMissing
from pyanamo_async.host.retry import RetrySchedule
from pyanamo_async.outputs.retrying import retry_output
from pyanamo_async.ports import Clock

if TYPE_CHECKING:
    from types_aiobotocore_logs import CloudWatchLogsClient

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class LogStream:
    """A stream to write and to read. Methods raise `OutputError` when the schedule ends."""

    client: CloudWatchLogsClient
    group: str
    name: str
    schedule: RetrySchedule

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
            await self.create()
            response = await send()
        if rejected := response.get("rejectedLogEventsInfo"):
            raise OutputError(f"{self._title} rejected events ({rejected})", hint="is this machine's clock right?")
        return at

    async def create(self) -> None:
        """Create the stream, and the group too, unless they exist."""
        create_stream = partial(self._create, self.client.create_log_stream, logStreamName=self.name)
        try:
            await self._request(create_stream)
        except OutputMissing:
            await self._request(partial(self._create, self.client.create_log_group))
            await self._request(create_stream)

    async def messages(self, phrase: str, time: tuple[int, int] | None) -> AsyncIterator[str]:
        """Read the messages of the streams whose names begin with this one's: those sent in `time`, or with a phrase.

        `time` is in milliseconds, both ends included. Without it the service looks through everything in those streams
        for the phrase, which may take minutes.

        Raises:
            OutputMissing: there is no such group.
        """
        wanted: dict[str, Any] = (
            {"startTime": time[0], "endTime": time[1]} if time else {"filterPattern": f'"{phrase}"'}
        )
        while True:
            response = await self._request(self.client.filter_log_events, logStreamNamePrefix=self.name, **wanted)
            for event in response["events"]:
                if event["logStreamName"].startswith(self.name):  # not every server filters by prefix
                    yield event["message"]
            if "nextToken" not in response:
                return
            wanted["nextToken"] = response["nextToken"]

    async def _create(self, create: Callable[..., Awaitable[object]], **names: str) -> None:
        with suppress(self.client.exceptions.ResourceAlreadyExistsException):
            await create(**names)

    @property
    def _title(self) -> str:
        return f"log group '{self.group}'"

    async def _request(self, call: Callable[..., Awaitable[T]], **asked: object) -> T:
        known = self.client.exceptions

        async def request() -> T:
            with translated(self._title, otherwise=OutputError):
                try:
                    return await call(logGroupName=self.group, **asked)
                except known.ResourceNotFoundException as error:
                    raise OutputMissing(f"{self._title} has no stream '{self.name}'") from error

        return await retry_output(request, self.schedule)

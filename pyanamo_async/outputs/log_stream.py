"""The requests that output makes to one stream of CloudWatch Logs.

1. The group and the stream are created when something is first sent.
2. Events carry the time of their sending: never too old for the service, and in order within a request.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from pyanamo_async.aws.errors import translated
from pyanamo_async.errors import OutputError, OutputMissing
from pyanamo_async.host.retry import RetrySchedule
from pyanamo_async.outputs.retrying import retry_output
from pyanamo_async.ports import Clock

if TYPE_CHECKING:
    from types_aiobotocore_logs import CloudWatchLogsClient
    from types_aiobotocore_logs.type_defs import FilterLogEventsResponseTypeDef, GetLogEventsResponseTypeDef

T = TypeVar("T")


class LogStream:
    """A stream to write and to read. Methods raise `OutputError` when the schedule ends."""

    def __init__(self, client: CloudWatchLogsClient, group: str, name: str, schedule: RetrySchedule) -> None:
        self.group = group
        self.name = name
        self._client = client
        self._schedule = schedule
        self._exists = False

    async def put(self, messages: list[str], clock: Clock) -> int:
        """Send events in one request and return their time, in milliseconds.

        Raises:
            OutputError: the events cannot be sent, or the service rejected some of them.
        """
        if not self._exists:
            await self.create()
        at = int(clock.now().timestamp() * 1000)
        response = await self._request(
            lambda: self._client.put_log_events(
                logGroupName=self.group,
                logStreamName=self.name,
                logEvents=[{"timestamp": at, "message": message} for message in messages],
            )
        )
        if rejected := response.get("rejectedLogEventsInfo"):
            raise OutputError(f"{self._title} rejected events ({rejected})", hint="is this machine's clock right?")
        return at

    async def create(self) -> None:
        """Create the group and the stream, unless they exist."""
        exists = self._client.exceptions.ResourceAlreadyExistsException

        async def create_group() -> None:
            with suppress(exists):
                await self._client.create_log_group(logGroupName=self.group)

        async def create_stream() -> None:
            with suppress(exists):
                await self._client.create_log_stream(logGroupName=self.group, logStreamName=self.name)

        try:
            await self._request(create_stream)
        except OutputMissing:
            await self._request(create_group)
            await self._request(create_stream)
        self._exists = True

    async def messages(self, begin: int, end: int) -> AsyncIterator[str]:
        """Read the messages of the events from time `begin` to `end`, in milliseconds.

        Raises:
            OutputMissing: there is no such stream.
        """
        token = ""
        while True:
            response = await self._request(partial(self._page, begin, end, {"nextToken": token} if token else {}))
            for event in response["events"]:
                yield event["message"]
            if response["nextForwardToken"] == token:
                return
            token = response["nextForwardToken"]

    async def search(self, phrase: str) -> AsyncIterator[str]:
        """Read the messages that contain a phrase, in all streams whose names begin with this one's.

        The service looks through everything in them, which may take minutes.

        Raises:
            OutputMissing: there is no such group.
        """
        token: dict[str, Any] = {}
        while True:
            response = await self._request(partial(self._search_page, phrase, token))
            for event in response["events"]:
                if event["logStreamName"].startswith(self.name):  # not every server filters by prefix
                    yield event["message"]
            if "nextToken" not in response:
                return
            token = {"nextToken": response["nextToken"]}

    async def _search_page(self, phrase: str, token: dict[str, Any]) -> FilterLogEventsResponseTypeDef:
        return await self._client.filter_log_events(
            logGroupName=self.group, logStreamNamePrefix=self.name, filterPattern=f'"{phrase}"', **token
        )

    async def _page(self, begin: int, end: int, token: dict[str, Any]) -> GetLogEventsResponseTypeDef:
        return await self._client.get_log_events(
            logGroupName=self.group,
            logStreamName=self.name,
            startTime=begin,
            endTime=end + 1,
            startFromHead=True,
            **token,
        )

    @property
    def _title(self) -> str:
        return f"log group '{self.group}'"

    async def _request(self, request: Callable[[], Awaitable[T]]) -> T:
        async def translate() -> T:
            with translated(self._title, otherwise=OutputError):
                try:
                    return await request()
                except self._client.exceptions.ResourceNotFoundException as error:
                    raise OutputMissing(f"{self._title} has no stream '{self.name}'") from error

        return await retry_output(translate, self._schedule)

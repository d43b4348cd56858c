"""One stream of CloudWatch Logs: the requests output makes of it.

The group and the stream are made when something is first sent. Events get the time at which they are sent: never too
old for the service, and in order within a request.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from pyanamo_async.aws.errors import translated
from pyanamo_async.errors import OutputError, OutputMissing
from pyanamo_async.outputs.patience import Patience
from pyanamo_async.ports import Clock

if TYPE_CHECKING:
    from types_aiobotocore_logs import CloudWatchLogsClient
    from types_aiobotocore_logs.type_defs import FilterLogEventsResponseTypeDef, GetLogEventsResponseTypeDef

Result = TypeVar("Result")


class LogStream:
    """A stream, to write to and to read from. Its methods raise `OutputError` when patience ends."""

    def __init__(self, client: CloudWatchLogsClient, group: str, name: str, patience: Patience) -> None:
        self.group = group
        self.name = name
        self._client = client
        self._patience = patience
        self._is_made = False

    async def put(self, messages: list[str], clock: Clock) -> int:
        """Send the events of one request and return their time, in milliseconds.

        Raises:
            OutputError: they cannot be sent, or the service rejected some of them.
        """
        if not self._is_made:
            await self.make()
        at = int(clock.now().timestamp() * 1000)
        answer = await self._ask(
            lambda: self._client.put_log_events(
                logGroupName=self.group,
                logStreamName=self.name,
                logEvents=[{"timestamp": at, "message": message} for message in messages],
            )
        )
        if rejected := answer.get("rejectedLogEventsInfo"):
            raise OutputError(f"{self._what} rejected events ({rejected})", hint="is this machine's clock right?")
        return at

    async def make(self) -> None:
        """Make the group and the stream, unless they are there."""
        there = self._client.exceptions.ResourceAlreadyExistsException

        async def make_group() -> None:
            with suppress(there):
                await self._client.create_log_group(logGroupName=self.group)

        async def make_stream() -> None:
            with suppress(there):
                await self._client.create_log_stream(logGroupName=self.group, logStreamName=self.name)

        try:
            await self._ask(make_stream)
        except OutputMissing:
            await self._ask(make_group)
            await self._ask(make_stream)
        self._is_made = True

    async def messages(self, begin: int, end: int) -> AsyncIterator[str]:
        """Read the messages of the events from time `begin` to `end`, in milliseconds.

        Raises:
            OutputMissing: there is no such stream.
        """
        token = ""
        while True:
            answer = await self._ask(partial(self._page, begin, end, {"nextToken": token} if token else {}))
            for event in answer["events"]:
                yield event["message"]
            if answer["nextForwardToken"] == token:
                return
            token = answer["nextForwardToken"]

    async def search(self, phrase: str) -> AsyncIterator[str]:
        """Read the messages that hold a phrase, of all streams whose names begin with this one's.

        That looks through all they hold, which may take minutes.

        Raises:
            OutputMissing: there is no such group.
        """
        token: dict[str, Any] = {}
        while True:
            answer = await self._ask(partial(self._found, phrase, token))
            for event in answer["events"]:
                if event["logStreamName"].startswith(self.name):  # not every server knows of prefixes
                    yield event["message"]
            if "nextToken" not in answer:
                return
            token = {"nextToken": answer["nextToken"]}

    async def _found(self, phrase: str, token: dict[str, Any]) -> FilterLogEventsResponseTypeDef:
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
    def _what(self) -> str:
        return f"log group '{self.group}'"

    async def _ask(self, request: Callable[[], Awaitable[Result]]) -> Result:
        async def once() -> Result:
            with translated(self._what, otherwise=OutputError):
                try:
                    return await request()
                except self._client.exceptions.ResourceNotFoundException as error:
                    raise OutputMissing(f"{self._what} has no stream '{self.name}'") from error

        return await self._patience.through(once)

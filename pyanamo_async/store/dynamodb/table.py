"""Speak to DynamoDB: reads, pages, and conditional writes in batches.

Laws:
1. Imports and reads share one limit on requests under way. Heartbeats and settles have a client of their own and do
   not count in it; claims travel with the settles.
2. A statement that fails in a batch fails alone. A role without the right to PartiQL writes one row at a time.
3. Reads that are unavailable are retried for a few seconds, each page for itself.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Any, TypeVar

from botocore.exceptions import ClientError

from pyanamo_async.aws.errors import refusal, translated
from pyanamo_async.core.stored.columns import Row
from pyanamo_async.core.values import Value
from pyanamo_async.errors import Denied, TableMissing, Unavailable
from pyanamo_async.host.retry import RetrySchedule, retry
from pyanamo_async.store.dynamodb.batcher import Batcher
from pyanamo_async.store.dynamodb.codec import marshal, unmarshal_row
from pyanamo_async.store.dynamodb.writes import KEY, Write, request, statement

if TYPE_CHECKING:
    from types_aiobotocore_dynamodb.client import DynamoDBClient

T = TypeVar("T")

logger = logging.getLogger(__name__)

MAX_STATEMENTS = 25  # of one batch
MAX_KEYS = 100  # of one batch
MAX_CONCURRENT = 8  # requests of imports and reads
RETRIES = RetrySchedule(limit_s=5.0, first_pause_s=0.1, longest_pause_s=2.0)

UNMET = {"ConditionalCheckFailed", "ConditionalCheckFailedException", "DuplicateItem"}


class Reply(Value):
    """What became of a write: whether its condition was met, and the row if the service returned it.

    That is the row after a write that asked for it, or as it stood when the condition was not met. `resent`: the
    request was sent more than once, so that the condition may be unmet because of an earlier sending.
    """

    met: bool
    row: Row | None = None
    resent: bool = False


class Table:
    """One table, by its clients: `client` for imports and reads, `urgent` for heartbeats, claims and settles."""

    def __init__(self, name: str, client: DynamoDBClient, urgent: DynamoDBClient, *, rng: random.Random) -> None:
        self.name, self.client, self.urgent = name, client, urgent
        self.what = f"table '{name}'"
        self.gone = False  # the table was found missing: what was known of it is void
        self._sent_alone: set[type[Write]] = set()  # kinds of writes that the role may not batch
        self._limit = asyncio.Semaphore(MAX_CONCURRENT)
        self._rng = rng
        self._batcher: Batcher[Write, Reply] = Batcher(partial(self._send, urgent), key=_key, most=MAX_STATEMENTS)

    async def close(self) -> None:
        """Wait for what is under way."""
        await self._batcher.close()

    def save(self, write: Write) -> asyncio.Future[Reply]:
        """Send a write at once, together with others that are ready."""
        return self._batcher.submit(write)

    async def send(self, writes: Sequence[Write]) -> list[Reply | Exception]:
        """Send up to 25 writes of different rows, each answered for itself."""
        async with self._limit:
            return await self._send(self.client, writes)

    async def send_alone(self, write: Write) -> Reply:
        """Send a write as a request of its own, once."""
        return await self.write_alone(self.client, *request(write, self.name))

    async def get(self, key: str, *, urgent: bool = False) -> Row | None:
        """Read a row as last written; return None when there is none."""
        client = self.urgent if urgent else self.client
        ask = partial(client.get_item, TableName=self.name, Key={KEY: marshal(key)}, ConsistentRead=True)
        item = (await (self.call(ask()) if urgent else self.call_with_retry(ask))).get("Item")
        return unmarshal_row(item) if item else None

    async def get_many(self, keys: Iterable[str], *, only: str = "") -> list[Row]:
        """Read the rows that exist of these keys, in no order; `only` names the single attribute wanted."""
        unique = iter(dict.fromkeys(keys))
        chunks = iter(lambda: list(islice(unique, MAX_KEYS)), [])
        return [row for rows in await gather_all(self._get_chunk(chunk, only) for chunk in chunks) for row in rows]

    async def pages(
        self, query: dict[str, Any], *, scan: bool = False, first: int | None = None
    ) -> AsyncIterator[dict[str, Any]]:
        """Query, or scan, page by page; the first page ends after `first` rows, so that an answer begins at once."""
        ask: Any = self.client.scan if scan else self.client.query
        query = {"TableName": self.name} | query
        limit: dict[str, Any] = {} if first is None else {"Limit": first}
        while True:
            page: Any = await self.call_with_retry(partial(ask, **query, **limit))
            limit = {}
            yield page
            if "LastEvaluatedKey" not in page:
                return
            query["ExclusiveStartKey"] = page["LastEvaluatedKey"]

    async def call_with_retry(self, request: Callable[[], Awaitable[T]]) -> T:
        """Make a request within the limit, and repeat it for a few seconds while the table is unavailable."""

        async def limited() -> T:
            async with self._limit:
                return await self.call(request())

        return await self.retry(limited)

    async def retry(self, call: Callable[[], Awaitable[T]]) -> T:
        """Repeat a call for a few seconds while it raises `Unavailable`."""
        return await retry(call, RETRIES, random=self._rng.random, monotonic=asyncio.get_running_loop().time)

    async def call(self, answer: Awaitable[T]) -> T:
        """Await an answer; raise our errors for the service's."""
        with self._translated():
            return await answer

    async def write_alone(self, client: DynamoDBClient, operation: str, arguments: dict[str, Any]) -> Reply:
        """Send one conditional write as a request of its own."""
        with self._translated():
            try:
                answer: Any = await getattr(client, operation)(**arguments)
            except ClientError as exc:
                response: Any = exc.response
                if response["Error"]["Code"] not in UNMET:
                    raise
                return Reply(met=False, row=_row(response.get("Item")), resent=_was_resent(response))
        return Reply(met=True, row=_row(answer.get("Attributes")), resent=_was_resent(answer))

    async def _get_chunk(self, keys: list[str], only: str) -> list[Row]:
        wanted: dict[str, Any] = {"Keys": [{KEY: marshal(key)} for key in keys], "ConsistentRead": True}
        if only:
            wanted["ProjectionExpression"] = only
        pending: Any = {self.name: wanted}
        rows: list[Row] = []

        async def read_pending() -> None:
            nonlocal pending
            answer = await self.client.batch_get_item(RequestItems=pending)
            rows.extend(unmarshal_row(item) for item in answer["Responses"].get(self.name, []))
            pending = answer.get("UnprocessedKeys")
            if pending:  # throttled in part, or more than 16 MB
                raise Unavailable(f"{self.what} did not return all rows that were asked for", throttled=True)

        while pending:
            had = len(rows)
            try:
                await self.call_with_retry(read_pending)
            except Unavailable:
                if len(rows) == had:  # seconds went by without a single row
                    raise
        return rows

    async def _send(self, client: DynamoDBClient, writes: Sequence[Write]) -> list[Reply | Exception]:
        batched = [write for write in writes if len(writes) > 1 and type(write) not in self._sent_alone]
        statements = {write.key: each for write in batched if (each := statement(write, self.name))}
        answers = dict(zip(statements, await self._batch(client, list(statements.values())), strict=True))
        alone = [write for write in writes if isinstance(answers.get(write.key), Denied | None)]
        for write, sent in zip(alone, await gather_all(self._alone(client, each) for each in alone), strict=True):
            if write.key in answers and not isinstance(sent, Denied) and type(write) not in self._sent_alone:
                self._sent_alone.add(type(write))  # the right to PartiQL is missing, not that to the same write alone
                logger.warning("%s takes one row at a time, which is slower: %s", self.what, answers[write.key])
            answers[write.key] = sent
        return [answers[write.key] for write in writes]

    async def _batch(self, client: DynamoDBClient, statements: Any) -> list[Reply | Exception]:  # noqa: ANN401 - stubs
        if not statements:
            return []
        try:
            answer: Any = await self.call(client.batch_execute_statement(Statements=statements))
        except Denied as denied:
            return [denied] * len(statements)
        if len(answer["Responses"]) != len(statements):
            raise Unavailable(f"{self.what} answered {len(answer['Responses'])} of {len(statements)} statements")
        resent = _was_resent(answer)
        return [self._read(reply, resent) for reply in answer["Responses"]]

    def _read(self, reply: dict[str, Any], resent: bool) -> Reply | Exception:
        row = _row(reply.get("Item"))
        error = reply.get("Error")
        if error is None:
            return Reply(met=True, row=row, resent=resent)
        if error["Code"] in UNMET:
            return Reply(met=False, row=_row(error.get("Item")) or row, resent=resent)
        refused = refusal(error["Code"], error.get("Message", ""), self.what)
        self.gone = self.gone or isinstance(refused, TableMissing)
        return refused

    async def _alone(self, client: DynamoDBClient, write: Write) -> Reply | Exception:
        try:
            return await self.write_alone(client, *request(write, self.name))
        except Exception as exc:  # noqa: BLE001 - it is the answer to this write alone
            return exc

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            with translated(self.what):
                yield
        except TableMissing:
            self.gone = True
            raise


async def gather_all(calls: Iterable[Coroutine[Any, Any, T]]) -> list[T]:
    """Wait for all calls; when one fails, cancel the others and raise its error as it is.

    If the caller is cancelled, that is raised, whatever fails meanwhile.
    """
    tasks = [asyncio.create_task(call) for call in calls]
    if not tasks:
        return []
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)
        for task in filter(asyncio.Task.done, tasks):  # in their order: of several errors always the same
            task.result()  # raises its error
        return [task.result() for task in tasks]
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _key(write: Write) -> str:
    return write.key


def _row(item: dict[str, Any] | None) -> Row | None:
    return unmarshal_row(item) if item else None


def _was_resent(answer: dict[str, Any]) -> bool:
    return bool(answer["ResponseMetadata"].get("RetryAttempts", 0) > 0)

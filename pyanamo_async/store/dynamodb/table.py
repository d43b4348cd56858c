"""The thin part that speaks to DynamoDB: reads, pages, and conditional writes in batches.

Laws: claims, imports and reads share one pace; beats and saves have their own client and pass by it. Claims travel with
saves while the table keeps up, and by themselves, slowly, when it pushes back. A statement that fails in a batch fails
alone. Reads that are throttled are repeated for a few seconds, each page for itself.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Any, TypeVar

from botocore.exceptions import ClientError

from pyanamo_async.aws.errors import refusal, translated
from pyanamo_async.core.stored.task_record import Row
from pyanamo_async.core.values import Value
from pyanamo_async.errors import TableMissing, Unavailable
from pyanamo_async.store.dynamodb.batcher import Batcher
from pyanamo_async.store.dynamodb.codec import marshal, unmarshal_row
from pyanamo_async.store.dynamodb.pace import Pace
from pyanamo_async.store.dynamodb.writes import KEY, Write, request, statement

if TYPE_CHECKING:
    from types_aiobotocore_dynamodb.client import DynamoDBClient

T = TypeVar("T")

MOST_STATEMENTS = 25  # of one batch
MOST_GETS = 100  # of one batch
MOST_AT_ONCE = 8  # requests of claims, imports and reads
IN_FLIGHT = 4  # batches of a kind
PATIENCE_S = 5.0

UNMET = {"ConditionalCheckFailed", "ConditionalCheckFailedException", "DuplicateItem"}


class Reply(Value):
    """What became of a write: whether its condition was met, and the row, where the service told it.

    That is the row after a write that asked for it, or as it stood when the condition was not met. `again` tells that
    the request was sent more than once, so that an unmet condition may be its own doing.
    """

    met: bool
    row: Row | None = None
    again: bool = False


class Table:
    """One table, by its clients: `client` for claims, imports and reads, `urgent` for beats and saves."""

    def __init__(self, name: str, client: DynamoDBClient, urgent: DynamoDBClient, *, rng: random.Random) -> None:
        self.name, self.client, self.urgent = name, client, urgent
        self.what = f"table '{name}'"
        self.gone = False  # whoever finds the table missing says so here: what was known of it is void
        self.pace = Pace(MOST_AT_ONCE, rng=rng)
        self._urgent: Batcher[Write, Reply] = Batcher(
            self._send_urgent, key=_key, most=MOST_STATEMENTS, in_flight=IN_FLIGHT
        )
        self._paced: Batcher[Write, Reply] = Batcher(
            self._send_paced, key=_key, most=MOST_STATEMENTS, in_flight=IN_FLIGHT
        )

    async def close(self) -> None:
        """Wait for what is under way."""
        await self._paced.close()
        await self._urgent.close()

    def save(self, write: Write) -> asyncio.Future[Reply]:
        """Send a write that is not to wait, in what company there is."""
        return self._urgent.submit(write)

    def claim(self, write: Write) -> asyncio.Future[Reply]:
        """Send a claim with the saves; with other claims in the common pace while that is slower than it may be."""
        return (self._urgent if self.pace.is_open else self._paced).submit(write)

    async def send(self, writes: Sequence[Write]) -> list[Reply | Exception]:
        """Send up to 25 writes of different rows; each is answered for itself. To be called in the common pace."""
        replies = await self._send(self.client, writes)
        if any(isinstance(reply, Unavailable) for reply in replies):
            self.pace.answered(throttled=True)
        return replies

    async def get(self, key: str, *, urgent: bool = False) -> Row | None:
        """Read a row as last written; None when there is none."""
        client = self.urgent if urgent else self.client
        ask = partial(client.get_item, TableName=self.name, Key={KEY: marshal(key)}, ConsistentRead=True)
        item = (await (self.asking(ask()) if urgent else self.patiently(ask))).get("Item")
        return unmarshal_row(item) if item else None

    async def get_many(self, keys: Iterable[str], *, only: str = "") -> list[Row]:
        """Read the rows there are of these keys, in no order; `only` names the single attribute wanted."""
        unique = iter(dict.fromkeys(keys))
        chunks = iter(lambda: list(islice(unique, MOST_GETS)), [])
        return [row for rows in await together(self._get_chunk(chunk, only) for chunk in chunks) for row in rows]

    async def pages(
        self, asked: dict[str, Any], *, scan: bool = False, first: int | None = None
    ) -> AsyncIterator[dict[str, Any]]:
        """Query, or scan, page by page; `first` is how many rows the first page has at most."""
        ask: Any = self.client.scan if scan else self.client.query
        asked = {"TableName": self.name} | asked | ({} if first is None else {"Limit": first})
        while True:
            page: Any = await self.patiently(partial(ask, **asked))
            yield page
            if first is not None:
                asked.pop("Limit")
                first = None
            if "LastEvaluatedKey" not in page:
                return
            asked["ExclusiveStartKey"] = page["LastEvaluatedKey"]

    async def patiently(self, ask: Callable[[], Awaitable[T]]) -> T:
        """Ask in the common pace, again and again for a few seconds while the table is not available."""
        loop = asyncio.get_running_loop()
        until = loop.time() + PATIENCE_S
        while True:
            try:
                async with self.pace:
                    return await self.asking(ask())
            except Unavailable:
                if loop.time() > until:
                    raise

    async def asking(self, answer: Awaitable[T]) -> T:
        """Wait for an answer, with the service's errors translated."""
        with self._translated():
            return await answer

    async def _get_chunk(self, keys: list[str], only: str) -> list[Row]:
        wanted: dict[str, Any] = {"Keys": [{KEY: marshal(key)} for key in keys], "ConsistentRead": True}
        if only:
            wanted["ProjectionExpression"] = only
        pending: Any = {self.name: wanted}
        rows: list[Row] = []
        while pending:
            ask = partial(self.client.batch_get_item, RequestItems=pending)
            answer = await self.patiently(ask)
            rows += [unmarshal_row(item) for item in answer["Responses"].get(self.name, [])]
            pending = answer.get("UnprocessedKeys")  # what did not fit 16 MB, or was throttled
        return rows

    async def _send_urgent(self, writes: Sequence[Write]) -> list[Reply | Exception]:
        try:
            replies = await self._send(self.urgent, writes)
        except Unavailable:
            self.pace.answered(throttled=True)
            raise
        if any(isinstance(reply, Unavailable) for reply in replies):
            self.pace.answered(throttled=True)
        return replies

    async def _send_paced(self, writes: Sequence[Write]) -> list[Reply | Exception]:
        async with self.pace:
            return await self.send(writes)

    async def _send(self, client: DynamoDBClient, writes: Sequence[Write]) -> list[Reply | Exception]:
        said = {write.key: statement(write, self.name) for write in writes} if len(writes) > 1 else {}
        batch = iter(await self._batch(client, [each for each in said.values() if each is not None]))
        alone = iter(await together(self._alone(client, write) for write in writes if said.get(write.key) is None))
        return [next(batch) if said.get(write.key) else next(alone) for write in writes]

    async def _batch(self, client: DynamoDBClient, statements: Any) -> list[Reply | Exception]:  # noqa: ANN401 - stubs
        if not statements:
            return []
        answer: Any = await self.asking(client.batch_execute_statement(Statements=statements))
        again = answer["ResponseMetadata"].get("RetryAttempts", 0) > 0
        return [self._read(reply, again) for reply in answer["Responses"]]

    def _read(self, reply: dict[str, Any], again: bool) -> Reply | Exception:
        row = unmarshal_row(reply["Item"]) if "Item" in reply else None
        error = reply.get("Error")
        if error is None:
            return Reply(met=True, row=row, again=again)
        if error["Code"] in UNMET:
            return Reply(met=False, row=unmarshal_row(error["Item"]) if "Item" in error else row, again=again)
        refused = refusal(error["Code"], error.get("Message", ""), self.what)
        self.gone = self.gone or isinstance(refused, TableMissing)
        return refused

    async def _alone(self, client: DynamoDBClient, write: Write) -> Reply | Exception:
        operation, arguments = request(write, self.name)
        try:
            return await self.write_alone(client, operation, arguments)
        except Exception as exc:  # noqa: BLE001 - not handled here: it is the answer to this write alone
            return exc

    async def write_alone(self, client: DynamoDBClient, operation: str, arguments: dict[str, Any]) -> Reply:
        """Send one conditional write as a request of its own."""
        with self._translated():
            try:
                answer: Any = await getattr(client, operation)(**arguments)
            except ClientError as exc:
                told: Any = exc.response
                if told["Error"]["Code"] not in UNMET:
                    raise
                return Reply(met=False, row=_row(told.get("Item")), again=_again(told))
        return Reply(met=True, row=_row(answer.get("Attributes")), again=_again(answer))

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            with translated(self.what):
                yield
        except TableMissing:
            self.gone = True
            raise


async def together(calls: Iterable[Coroutine[Any, Any, T]]) -> list[T]:
    """Wait for all of them; when one fails, the others are cancelled, and its error is raised as it is."""
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(call) for call in calls]
    except ExceptionGroup as several:
        raise several.exceptions[0] from None
    return [task.result() for task in tasks]


def _key(write: Write) -> str:
    return write.key


def _row(item: dict[str, Any] | None) -> Row | None:
    return unmarshal_row(item) if item else None


def _again(answer: dict[str, Any]) -> bool:
    return bool(answer["ResponseMetadata"].get("RetryAttempts", 0) > 0)

"""Natural batching, without a table."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from typing import Any

import pytest
from botocore.exceptions import ClientError

from pyanamo_async.errors import StoreError, Unavailable
from pyanamo_async.host.retry import RetrySchedule
from pyanamo_async.store.dynamodb.batcher import Batcher
from pyanamo_async.store.dynamodb.table import Reply, Table, gather_all
from pyanamo_async.store.dynamodb.writes import Update


class Wire:
    """What a batcher sends by: holds each batch until it is let go."""

    def __init__(self) -> None:
        self.batches: list[list[str]] = []
        self.gates: list[asyncio.Event] = []
        self.sent = asyncio.Event()

    async def send(self, batch: Sequence[str]) -> list[str | Exception]:
        self.batches.append(list(batch))
        gate = asyncio.Event()
        self.gates.append(gate)
        self.sent.set()
        await gate.wait()
        return [StoreError("refused") if text == "bad" else text.upper() for text in batch]

    def batcher(self, *, most: int = 25) -> Batcher[str, str]:
        return Batcher(self.send, key=lambda text: text[:1], most=most)

    async def until_sent(self) -> None:
        await self.sent.wait()
        self.sent.clear()


async def test_a_lone_request_goes_at_once_and_the_rest_in_company() -> None:
    """Nothing waits for company; what comes while a request is under way shares the next."""
    wire = Wire()
    batcher = wire.batcher()
    first = batcher.submit("a")
    await wire.until_sent()
    others = [batcher.submit(text) for text in "bcd"]
    wire.gates[0].set()
    assert await first == "A"
    await wire.until_sent()
    wire.gates[1].set()

    assert [await other for other in others] == ["B", "C", "D"]
    assert wire.batches == [["a"], ["b", "c", "d"]]


async def test_what_is_ready_together_travels_together() -> None:
    """Requests submitted in one go share the first batch, up to what fits."""
    wire = Wire()
    batcher = wire.batcher(most=2)
    answers = [batcher.submit(text) for text in "abc"]
    await wire.until_sent()
    wire.gates[0].set()
    await wire.until_sent()
    wire.gates[1].set()

    assert [await answer for answer in answers] == ["A", "B", "C"]
    assert wire.batches == [["a", "b"], ["c"]]


async def test_one_row_is_never_twice_in_a_batch() -> None:
    """DynamoDB refuses a whole batch for it; order within a row is kept."""
    wire = Wire()
    batcher = wire.batcher()
    answers = [batcher.submit(text) for text in ("a1", "b1", "a2", "a3")]
    for number in range(3):
        await wire.until_sent()
        wire.gates[number].set()

    assert [await answer for answer in answers] == ["A1", "B1", "A2", "A3"]
    assert wire.batches == [["a1", "b1"], ["a2"], ["a3"]]


async def test_one_batch_is_under_way_at_a_time() -> None:
    """What comes meanwhile gathers, and goes when it is answered."""
    wire = Wire()
    batcher = wire.batcher()
    answers = []
    for text in "abc":
        answers.append(batcher.submit(text))
        await _turns()
    assert wire.batches == [["a"]]

    wire.gates[0].set()
    await _turns()
    assert wire.batches == [["a"], ["b", "c"]]

    wire.gates[1].set()
    assert [await answer for answer in answers] == ["A", "B", "C"]


async def _turns() -> None:
    """Let the loop go round often enough for whatever it would start."""
    for _ in range(5):
        await asyncio.sleep(0)


class Service:
    """DynamoDB as far as a table's writes go: notes the keys of each batch, and throttles as many as it is told."""

    def __init__(self) -> None:
        self.batches: list[list[str]] = []
        self.alone: list[str] = []
        self.throttles = 0
        self.unprocessed = 0
        self.denies = ""
        self.read: list[list[str]] = []

    async def batch_execute_statement(self, *, Statements: list[dict[str, Any]]) -> dict[str, Any]:  # noqa: N803 # its name
        self.batches.append([each["Parameters"][-1]["S"] for each in Statements])
        if self.denies == "the request":
            raise ClientError({"Error": {"Code": "AccessDeniedException", "Message": "no"}}, "BatchExecuteStatement")
        if self.denies:
            denied = {"Error": {"Code": "AccessDenied", "Message": "no"}}
            return {"Responses": [denied for _ in Statements], "ResponseMetadata": {}}
        answers: list[dict[str, Any]] = [{} for _ in Statements]
        for answer in answers[: self.throttles]:
            answer["Error"] = {"Code": "ThrottlingError", "Message": "slow down"}
        self.throttles = 0
        return {"Responses": answers, "ResponseMetadata": {}}

    async def batch_get_item(self, *, RequestItems: dict[str, Any]) -> dict[str, Any]:  # noqa: N803 # as above
        [(table, wanted)] = RequestItems.items()
        keys = wanted["Keys"]
        self.read.append([key["itemID"]["S"] for key in keys])
        done = len(keys) if not self.unprocessed else 1
        self.unprocessed = max(0, self.unprocessed - 1)
        left = {table: wanted | {"Keys": keys[done:]}} if keys[done:] else {}
        return {"Responses": {table: keys[:done]}, "UnprocessedKeys": left}

    async def update_item(self, *, Key: dict[str, Any], **_: object) -> dict[str, Any]:  # noqa: N803 # as above
        self.alone.append(Key["itemID"]["S"])
        return {"ResponseMetadata": {}}


def _write(key: str, *, names: int = 1) -> Update:
    return Update(key, {}, {(f"name-{number:04}",): "x" for number in range(names)})


def _table(client: Service, urgent: Service) -> Table:
    clients: list[Any] = [client, urgent]
    return Table("table", *clients, rng=random.Random(1))


async def test_keys_that_were_not_processed_are_read_again_after_a_pause() -> None:
    """Partial throttling of BatchGetItem is a success with `UnprocessedKeys`."""
    client = Service()
    client.unprocessed = 2
    table = _table(client, Service())
    loop = asyncio.get_running_loop()
    began_s = loop.time()

    rows = await table.get_many(["a", "b", "c"])

    assert sorted(row["itemID"] for row in rows) == ["a", "b", "c"]
    assert client.read == [["a", "b", "c"], ["b", "c"], ["c"]]
    assert loop.time() > began_s


async def test_keys_are_read_on_as_long_as_any_row_comes(monkeypatch: pytest.MonkeyPatch) -> None:
    """A table that gives one row at a time is slow, not away."""
    monkeypatch.setattr("pyanamo_async.store.dynamodb.table.RETRIES", RetrySchedule(limit_s=0.0))
    client = Service()
    client.unprocessed = 9

    rows = await _table(client, Service()).get_many([str(number) for number in range(10)])

    assert len(rows) == 10


async def test_a_batch_is_answered_in_full_or_not_at_all() -> None:
    """A reply with fewer answers than statements is somebody else's, and no worker ends for it."""

    class Short(Service):
        async def batch_execute_statement(self, *, Statements: list[dict[str, Any]]) -> dict[str, Any]:  # noqa: N803
            return {"Responses": [{} for _ in Statements[1:]], "ResponseMetadata": {}}

    table = _table(Service(), Short())
    replies = await asyncio.gather(*map(table.save, map(_write, "ab")), return_exceptions=True)

    assert [type(reply) for reply in replies] == [Unavailable, Unavailable]


@pytest.mark.parametrize("denies", ["the request", "each statement"])
async def test_a_role_without_partiql_writes_row_by_row(denies: str, caplog: pytest.LogCaptureFixture) -> None:
    """The rights to single writes suffice; it is said once, and statements are not tried again."""
    urgent = Service()
    urgent.denies = denies
    table = _table(Service(), urgent)
    for keys in ("ab", "cd"):
        replies = await asyncio.gather(*map(table.save, map(_write, keys)), return_exceptions=True)
        assert [type(reply) for reply in replies] == [Reply, Reply]

    assert (urgent.batches, urgent.alone) == ([["a", "b"]], ["a", "b", "c", "d"])
    assert [record.levelname for record in caplog.records] == ["WARNING"]


async def test_a_write_too_long_for_a_statement_goes_alone_beside_its_batch() -> None:
    """Its company is sent as the batch it was; each gets its own answer."""
    urgent = Service()
    table = _table(Service(), urgent)
    urgent.throttles = 1
    writes = [_write("a"), _write("long", names=600), _write("b")]

    replies = await asyncio.gather(*map(table.save, writes), return_exceptions=True)

    assert (urgent.batches, urgent.alone) == ([["a", "b"]], ["long"])
    assert [type(reply) for reply in replies] == [Unavailable, Reply, Reply]


async def test_each_fails_alone() -> None:
    """One refused request is the error of who sent it."""
    wire = Wire()
    batcher = wire.batcher()
    good, bad = batcher.submit("good"), batcher.submit("bad")
    await wire.until_sent()
    wire.gates[0].set()

    assert await good == "GOOD"
    with pytest.raises(StoreError, match="refused"):
        await bad


async def test_a_batch_that_fails_fails_for_all_of_it_and_not_for_the_next() -> None:
    """What is wrong with the connection reaches everybody who was on it, once."""
    calls: list[list[str]] = []

    async def send(batch: Sequence[str]) -> list[str | Exception]:
        calls.append(list(batch))
        if len(calls) == 1:
            raise Unavailable("away")
        return list(batch)

    batcher: Batcher[str, str] = Batcher(send, key=str, most=25)
    answers = await asyncio.gather(batcher.submit("a"), batcher.submit("b"), return_exceptions=True)

    assert [str(answer) for answer in answers] == ["away", "away"]
    assert await batcher.submit("c") == "c"


async def test_who_no_longer_waits_is_not_sent() -> None:
    """A request cancelled while it gathers costs nothing; one under way is seen through."""
    wire = Wire()
    batcher = wire.batcher()
    under_way = batcher.submit("a")
    await wire.until_sent()
    gathering = batcher.submit("b")
    gathering.cancel()
    under_way.cancel()
    kept = batcher.submit("c")
    wire.gates[0].set()
    await wire.until_sent()
    wire.gates[1].set()

    assert await kept == "C"
    assert wire.batches == [["a"], ["c"]]


async def test_close_waits_for_what_is_under_way() -> None:
    """No request is cut off, none is left behind."""
    wire = Wire()
    batcher = wire.batcher()
    answers = [batcher.submit(text) for text in "ab"]
    closing = asyncio.create_task(batcher.close())
    await wire.until_sent()
    wire.gates[0].set()
    await closing

    assert [answer.result() for answer in answers] == ["A", "B"]


async def test_gather_all_raises_the_error_itself() -> None:
    """No exception group reaches a person; the others are not left running."""
    cancelled = asyncio.Event()

    async def fails() -> None:
        raise Unavailable("away")

    async def waits() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()

    with pytest.raises(Unavailable, match="away"):
        await gather_all([waits(), fails()])
    assert cancelled.is_set()


async def test_gather_all_is_cancelled_whatever_fails_meanwhile() -> None:
    """A watcher that is cancelled ends, also when a call it waits for fails because of that."""
    waiting = asyncio.Event()

    async def fails_when_cancelled() -> None:
        try:
            waiting.set()
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            raise Unavailable("away") from None

    watcher = asyncio.create_task(gather_all([fails_when_cancelled()]))
    await waiting.wait()
    watcher.cancel()

    with pytest.raises(asyncio.CancelledError):
        await watcher
    assert watcher.cancelled()

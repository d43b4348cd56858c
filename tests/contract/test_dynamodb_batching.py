"""Natural batching and the concurrency limiter, without a table."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from typing import Any

import pytest

from pyanamo_async.errors import StoreError, Unavailable
from pyanamo_async.store.dynamodb.batcher import LATE_S, Batcher
from pyanamo_async.store.dynamodb.limiter import ConcurrencyLimiter
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

    def batcher(self, *, most: int = 25, in_flight: int = 1) -> Batcher[str, str]:
        return Batcher(self.send, key=lambda text: text[:1], most=most, in_flight=in_flight)

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


async def test_few_wait_for_an_answer_and_as_many_as_are_under_way_do_not() -> None:
    """Another sending goes beside the first when it carries as much, so that many share few."""
    wire = Wire()
    batcher = wire.batcher(in_flight=3)
    answers = [batcher.submit(text) for text in "ab"]
    await wire.until_sent()
    answers.append(batcher.submit("c"))
    await _turns()
    assert wire.batches == [["a", "b"]]

    answers.append(batcher.submit("d"))
    await wire.until_sent()
    answers += [batcher.submit(text) for text in "efg"]
    await _turns()
    assert wire.batches == [["a", "b"], ["c", "d"]]

    wire.gates[0].set()
    await wire.until_sent()
    wire.gates[1].set()
    wire.gates[2].set()
    assert [await answer for answer in answers] == list("ABCDEFG")
    assert wire.batches == [["a", "b"], ["c", "d"], ["e", "f", "g"]]


async def test_what_is_lost_on_its_way_holds_nobody_up() -> None:
    """A batch without an answer is not waited for; but no more are under way than may be."""
    wire = Wire()
    batcher = wire.batcher(in_flight=2)
    lost = [batcher.submit(text) for text in "abc"]
    await wire.until_sent()
    later = batcher.submit("d")
    await _turns()
    assert wire.batches == [["a", "b", "c"]]

    async with asyncio.timeout(5):
        await wire.until_sent()
    last = batcher.submit("e")
    await asyncio.sleep(2 * LATE_S)
    assert wire.batches == [["a", "b", "c"], ["d"]]

    wire.gates[1].set()
    assert await later == "D"
    async with asyncio.timeout(5):
        await wire.until_sent()
    wire.gates[0].set()
    wire.gates[2].set()
    assert await last == "E"
    assert [await answer for answer in lost] == ["A", "B", "C"]


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
        self.read: list[list[str]] = []

    async def batch_execute_statement(self, *, Statements: list[dict[str, Any]]) -> dict[str, Any]:  # noqa: N803 # its name
        self.batches.append([each["Parameters"][-1]["S"] for each in Statements])
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


async def _save(table: Table, key: str) -> Reply:
    return await table.save(_write(key))


async def test_claims_travel_with_saves() -> None:
    """A worker that ends an item and begins the next sends one request for both, by the client of saves."""
    client, urgent = Service(), Service()
    table = _table(client, urgent)

    await asyncio.gather(_save(table, "done"), table.claim([_write("next")]))

    assert (client.batches, urgent.batches) == ([], [["done", "next"]])


async def test_claims_are_limited_and_leave_saves_alone_while_the_table_is_throttled() -> None:
    """They go by their own client within the limiter, until it is open again."""
    client, urgent = Service(), Service()
    table = _table(client, urgent)
    urgent.throttles = 1
    throttled, _ = await table.claim([_write("a"), _write("b")])
    assert isinstance(throttled, Unavailable)

    await asyncio.gather(table.claim([_write("c"), _write("d")]), *(table.save(_write(key)) for key in "ef"))
    assert (client.batches, urgent.batches) == ([["c", "d"]], [["a", "b"], ["e", "f"]])

    while not table.limiter.is_open:
        await table.claim([_write("g")])
    await asyncio.gather(_save(table, "h"), table.claim([_write("i")]))
    assert urgent.batches[-1] == ["h", "i"]


async def test_keys_that_were_not_processed_are_read_again_after_a_pause() -> None:
    """Partial throttling of BatchGetItem is a success with `UnprocessedKeys`: it slows everybody down."""
    client = Service()
    client.unprocessed = 2
    table = _table(client, Service())
    loop = asyncio.get_running_loop()
    began_s = loop.time()

    rows = await table.get_many(["a", "b", "c"])

    assert sorted(row["itemID"] for row in rows) == ["a", "b", "c"]
    assert client.read == [["a", "b", "c"], ["b", "c"], ["c"]]
    assert loop.time() > began_s
    assert not table.limiter.is_open


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

    batcher: Batcher[str, str] = Batcher(send, key=str, most=25, in_flight=1)
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


async def _throttled(limiter: ConcurrencyLimiter) -> None:
    with pytest.raises(Unavailable):
        async with limiter:
            raise Unavailable("throttled")


async def test_the_window_halves_and_comes_back() -> None:
    """Every throttled round halves how many requests may be under way; successes open the window one by one."""
    limiter = ConcurrencyLimiter(8)
    await _throttled(limiter)
    assert limiter.window == 4
    await _throttled(limiter)
    assert limiter.window == 2

    for _ in range(40):
        async with limiter:
            pass
    assert limiter.window == 8


async def test_one_round_of_throttling_halves_once() -> None:
    """Eight requests that were under way together count as one."""
    limiter = ConcurrencyLimiter(8)
    all_throttled = asyncio.Barrier(8)

    async def ask() -> None:
        async with limiter:
            await all_throttled.wait()
            raise Unavailable("throttled")

    await asyncio.gather(*(ask() for _ in range(8)), return_exceptions=True)

    assert limiter.window == 4


async def test_no_more_are_under_way_than_the_limiter_allows() -> None:
    """Requests wait their turn, in order, and a cancelled one gives its turn on."""
    limiter = ConcurrencyLimiter(2)
    running: list[int] = []
    most = 0
    let_go = asyncio.Event()

    async def ask(number: int) -> None:
        nonlocal most
        async with limiter:
            running.append(number)
            most = max(most, len(running))
            await let_go.wait()
            running.remove(number)

    tasks = [asyncio.create_task(ask(number)) for number in range(6)]
    await asyncio.sleep(0)
    tasks[2].cancel()
    let_go.set()
    results = await asyncio.gather(*tasks, return_exceptions=True)

    assert most == 2
    assert [type(result) for result in results] == [type(None)] * 2 + [asyncio.CancelledError] + [type(None)] * 3


async def test_an_error_that_is_no_throttling_leaves_the_window() -> None:
    """A refused item says nothing about the load."""
    limiter = ConcurrencyLimiter(8)
    with pytest.raises(StoreError):
        async with limiter:
            raise StoreError("too large")

    assert limiter.window == 8


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

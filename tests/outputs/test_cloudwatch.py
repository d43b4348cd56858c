"""Laws of output in CloudWatch Logs alone."""

from __future__ import annotations

import asyncio
import io
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest
from botocore.exceptions import ClientError

from pyanamo_async.core.values import replace
from pyanamo_async.errors import Denied, OutputMissing, Unavailable
from pyanamo_async.host.clock import SystemClock
from pyanamo_async.host.retry import RetrySchedule
from pyanamo_async.outputs.cloudwatch import LARGE_BYTES, CloudWatchOutputs, search_location, stream_name
from pyanamo_async.outputs.events import event_prefix, events
from pyanamo_async.outputs.log_stream import LogStream
from pyanamo_async.outputs.memory import MemoryOutputs
from pyanamo_async.outputs.retrying import ONCE
from pyanamo_async.outputs.spool import Spool
from pyanamo_async.ports import Clock, OutputKey
from tests.fakes import FakeClock
from tests.outputs.stores import logs_client, read_all, write_all

if TYPE_CHECKING:
    from types_aiobotocore_logs import CloudWatchLogsClient

KEY = OutputKey("t", "i", "Task_0", 1, "stdout")
LINES = [b"line %d of a text that is some three megabytes long\n" % number for number in range(60_000)]


@dataclass(frozen=True, slots=True)
class Bench:
    """A group of its own, and the fallback store."""

    client: CloudWatchLogsClient
    group: str
    fallback: MemoryOutputs
    spool: Spool

    def store(self, stream: str = "worker", clock: Clock | None = None) -> CloudWatchOutputs:
        return CloudWatchOutputs(
            self.client, self.group, stream, fallback=self.fallback, spool=self.spool, clock=clock or SystemClock()
        )

    async def streams(self) -> list[str]:
        answer = await self.client.describe_log_streams(logGroupName=self.group)
        return [stream["logStreamName"] for stream in answer["logStreams"]]


@pytest.fixture
async def bench(moto_endpoint: str) -> AsyncIterator[Bench]:
    async with logs_client(moto_endpoint) as client:
        yield Bench(client, f"/PyAnamo/{uuid4().hex}", MemoryOutputs(), Spool(64 << 20))


async def test_output_of_several_batches_goes_to_logs(bench: Bench) -> None:
    """Nothing is lost of 3 MB in 60,000 lines (a batch takes 1 MB and 10,000), and the order is kept."""
    store = bench.store()
    location = await write_all(store, KEY, LINES)

    assert location.startswith("logs://")
    assert (await read_all(store, location), bench.fallback.kept) == (b"".join(LINES), {})


@pytest.mark.parametrize(("size", "scheme"), [(LARGE_BYTES, "logs:"), (LARGE_BYTES + 1, "memory:")])
async def test_larger_output_goes_to_the_fallback_as_a_whole(bench: Bench, size: int, scheme: str) -> None:
    """One byte more than 10 MB, and no part of it is in Logs."""
    store = bench.store()
    location = await write_all(store, KEY, [b"x" * 100_000] * (size // 100_000) + [b"y" * (size % 100_000)])

    assert location.startswith(scheme)
    assert len(await read_all(store, location)) == size


async def test_a_worker_has_one_stream(bench: Bench) -> None:
    """Streams are rationed: all outputs of a worker share one, and another worker has its own."""
    one, other = bench.store("one"), bench.store("other")
    for number in range(3):
        await write_all(one, OutputKey("t", f"item {number}", "Task_0", 1, "stdout"), [b"text"])
    await write_all(other, KEY, [b"text"])

    assert await bench.streams() == ["one", "other"]


async def test_any_worker_reads_what_another_wrote(bench: Bench) -> None:
    """The location says all that is needed."""
    location = await write_all(bench.store("a worker/1 [x]"), KEY, [b"text\n"])

    assert await read_all(bench.store("other"), location) == b"text\n"


async def test_rejected_events_go_to_the_fallback(bench: Bench) -> None:
    """A clock that is a year behind makes the service reject events: they are noticed, and nothing is lost."""
    store = bench.store(clock=FakeClock())
    location = await write_all(store, KEY, [b"text"])

    assert location.startswith("memory:")
    assert await read_all(store, location) == b"text"


async def test_a_check_without_a_network_fails(bench: Bench) -> None:
    """It is for whoever starts the worker to try again."""
    async with logs_client("http://127.0.0.1:1") as client:
        nowhere = CloudWatchOutputs(
            client, bench.group, "worker", fallback=bench.fallback, spool=bench.spool, clock=SystemClock()
        )
        with pytest.raises(Unavailable, match=f"log group '{bench.group}'"):
            await nowhere.check()


async def test_a_stream_is_created_at_its_first_use(bench: Bench) -> None:
    """Thousands of workers start at once, and an account creates 50 streams a second; many will write nothing here."""
    store = bench.store()
    for _ in range(2):
        await store.check()
        assert await bench.streams() == []
    await write_all(store, KEY, [b"text"])

    assert await bench.streams() == ["worker"]


async def test_outputs_that_end_together_create_one_stream(bench: Bench) -> None:
    """The first to find it missing creates it, and the others wait."""
    client: Any = _Counting(bench.client)
    store = CloudWatchOutputs(
        client, bench.group, "worker", fallback=bench.fallback, spool=bench.spool, clock=SystemClock()
    )
    await store.check()
    keys = [replace(KEY, item_id=f"item {number}") for number in range(8)]
    locations = await asyncio.gather(*(write_all(store, key, [b"text"]) for key in keys))

    assert all(location.startswith("logs://") for location in locations)
    assert (client.calls["create_log_stream"], client.calls["create_log_group"]) == (1, 1)


@pytest.mark.parametrize("operation", ["create_log_stream", "create_log_group", "put_log_events"])
async def test_throttling_is_waited_for(bench: Bench, operation: str) -> None:
    """A fleet that starts is throttled for a while: its output goes to Logs all the same."""
    client: Any = _Counting(bench.client, throttles={operation: 5})
    store = CloudWatchOutputs(
        client,
        bench.group,
        "worker",
        fallback=bench.fallback,
        spool=bench.spool,
        clock=SystemClock(),
        schedule=RetrySchedule(limit_s=60.0, first_pause_s=0.01, longest_pause_s=0.05),
    )
    location = await write_all(store, KEY, [b"text"])

    assert client.throttles[operation] == 0
    assert location.startswith("logs://")


@pytest.mark.parametrize(("days", "kept", "said"), [(None, None, "for ever. hint: "), (30, 30, "for 30 days")])
async def test_a_new_group_says_how_long_it_keeps_events(
    bench: Bench, days: int | None, kept: int | None, said: str, caplog: pytest.LogCaptureFixture
) -> None:
    """For ever costs for ever; a group that exists is left as it is, and nothing is said."""
    for retention in (days, 7):
        store = CloudWatchOutputs(
            bench.client,
            bench.group,
            "worker",
            fallback=bench.fallback,
            spool=bench.spool,
            clock=SystemClock(),
            retention_days=retention,
        )
        await store.check()
    [group] = (await bench.client.describe_log_groups(logGroupNamePrefix=bench.group))["logGroups"]

    assert group.get("retentionInDays") == kept
    assert len(caplog.messages) == 1
    assert said in caplog.messages[0]


async def test_a_check_finds_that_events_may_not_be_sent(bench: Bench) -> None:
    """Before the first item runs."""
    client: Any = _Counting(bench.client, denies="put_log_events")
    store = CloudWatchOutputs(
        client, bench.group, "worker", fallback=bench.fallback, spool=bench.spool, clock=SystemClock()
    )
    with pytest.raises(Denied, match="PutLogEvents"):
        await store.check()


class _Counting:
    """A client that counts its calls, throttles the first of an operation, and may deny one."""

    def __init__(self, client: CloudWatchLogsClient, throttles: dict[str, int] | None = None, denies: str = "") -> None:
        self.calls: Counter[str] = Counter()
        self.throttles = throttles or {}
        self._client, self._denies = client, denies

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - whatever the client has
        method = getattr(self._client, name)
        if not name.startswith(("create", "put")):
            return method

        async def ask(**asked: object) -> object:
            self.calls[name] += 1
            code = "AccessDeniedException" if name == self._denies else "ThrottlingException"
            if name == self._denies or self.throttles.get(name):
                self.throttles[name] = self.throttles.get(name, 1) - 1
                operation = name.title().replace("_", "")
                raise ClientError({"Error": {"Code": code, "Message": "Rate exceeded"}}, operation)
            return await method(**asked)

        return ask


async def test_memory_is_given_back(bench: Bench) -> None:
    """Whether an output was closed, moved or aborted."""
    store, free = bench.store(), bench.spool.free_bytes
    await write_all(store, KEY, [b"text"])
    await write_all(store, KEY, [bytes(LARGE_BYTES), b"more"])
    sink = store.open(KEY)
    await sink.write(b"text")
    assert bench.spool.free_bytes < free
    await sink.abort()

    assert bench.spool.free_bytes == free


async def test_events_that_were_just_sent_are_waited_for(bench: Bench) -> None:
    """Events can be read some seconds after they were sent: an earlier reader waits, and gets no byte twice."""
    store = bench.store()
    location = await write_all(store, KEY, LINES[:30_000])
    late: Any = _Late(bench.client, looks=2)
    reading = CloudWatchOutputs(late, "", "", fallback=bench.fallback, spool=bench.spool, clock=SystemClock())

    assert await read_all(reading, location) == b"".join(LINES[:30_000])


@dataclass
class _Late:
    """A client that at first sees only what came first."""

    client: CloudWatchLogsClient
    looks: int

    def __getattr__(self, name: str) -> object:
        return getattr(self.client, name)

    async def filter_log_events(self, **asked: Any) -> object:  # noqa: ANN401 # whatever the client takes
        answer = await self.client.filter_log_events(**asked)
        if self.looks and "nextToken" in asked:
            self.looks -= 1
            return {"events": []}
        return answer


async def test_output_without_a_record_is_searched(bench: Bench) -> None:
    """In the streams of all workers of the table, and in no other table's, though they share a group."""
    stores = {
        table: bench.store(stream_name(table, f"worker:of {table}"))
        for table in ("t", "t-2", "other/t", "nothing in it")
    }
    texts = {table: [f"of table {table}, line {number}\n".encode() for number in range(1000)] for table in stores}
    for table, store in stores.items():
        if table != "nothing in it":
            await write_all(store, replace(KEY, table=table, attempt=11), [b"attempt 11"])
            await write_all(store, replace(KEY, table=table), texts[table])

    for table, store in stores.items():
        location = search_location(bench.group, replace(KEY, table=table))
        if table == "nothing in it":
            with pytest.raises(OutputMissing):
                await read_all(store, location)
        else:
            assert await read_all(store, location) == b"".join(texts[table])


async def test_output_without_its_end_is_not_taken_for_complete(bench: Bench) -> None:
    """What a worker sent before it died is read, and then an error says that more is missing."""
    stream = LogStream(bench.client, bench.group, stream_name("t", "w"), ONCE)
    *begun, _ = events(event_prefix(KEY), io.BytesIO(b"line 1\nline 2\n"))
    await stream.put(begun, SystemClock())

    reading = bench.store().read(search_location(bench.group, KEY))
    assert [await anext(reading), await anext(reading)] == [b"line 1\n", b"line 2\n"]
    with pytest.raises(OutputMissing, match="event 2 is missing"):
        await anext(reading)


@pytest.mark.parametrize(
    "location",
    ["logs://group/stream", "logs://g/s?mark=m&from=x&to=1", "logs://g/s?mark=m&from=1&to=1", "logs://g/s?mark=m"],
)
async def test_a_location_without_output_is_missing(bench: Bench, location: str) -> None:
    """Malformed locations and deleted streams are missing output."""
    with pytest.raises(OutputMissing):
        await read_all(bench.store(), location)

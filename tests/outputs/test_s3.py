"""Laws of output in S3 alone: requests, failures, memory."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, cast

import pytest
from botocore.exceptions import ClientError

from pyanamo_async.errors import BucketMissing, Denied, OutputError, Unavailable
from pyanamo_async.host.retry import RetrySchedule
from pyanamo_async.outputs.retrying import ONCE
from pyanamo_async.outputs.s3 import S3Outputs, open_bucket
from pyanamo_async.outputs.spool import SPOOL_BYTES, Spool
from pyanamo_async.outputs.upload import MIB, PARTS_IN_FLIGHT, part_bytes
from pyanamo_async.ports import OutputKey, Sink
from tests.outputs.proxy import Proxy, proxied
from tests.outputs.stores import read_all, s3, s3_client, write_all

if TYPE_CHECKING:
    from types_aiobotocore_s3 import S3Client

KEY = OutputKey("t", "i", "Task_0", 1, "stdout")
QUICK = RetrySchedule(limit_s=60.0, first_pause_s=0.01, longest_pause_s=0.05)
ARN = "arn:aws:kms:us-east-1:123456789012:key/abc"
PATH = "logs/t/i/Task_0/1.stdout.gz"
NOISE = random.Random(2).randbytes(30 * MIB)
CHUNKS = [NOISE[at : at + 100_000] for at in range(0, len(NOISE), 100_000)]


@dataclass(frozen=True, slots=True)
class Bench:
    """A client whose network fails on demand, one whose does not, and a bucket."""

    proxy: Proxy
    client: S3Client
    outside: S3Client
    bucket: str

    def store(self, *, schedule: RetrySchedule = QUICK, sse: str = "", spool_bytes: int = SPOOL_BYTES) -> S3Outputs:
        bucket = open_bucket(self.client, self.bucket, schedule=schedule, sse=sse)
        return S3Outputs(bucket, "logs", spool=Spool(spool_bytes, schedule))

    async def traces(self) -> list[str]:
        return await s3(self.outside, self.bucket).traces()


@pytest.fixture
async def bench(moto_endpoint: str, bucket: str) -> AsyncIterator[Bench]:
    async with (
        proxied(moto_endpoint) as proxy,
        s3_client(proxy.url, sendings=1) as client,
        s3_client(moto_endpoint) as outside,
    ):
        yield Bench(proxy, client, outside, bucket)


async def test_output_that_fits_one_part_is_one_request(bench: Bench) -> None:
    """Small output costs one PutObject."""
    location = await write_all(bench.store(), KEY, [b"text"])

    assert location == f"s3://{bench.bucket}/{PATH}"
    assert [line.split()[0] for line in bench.proxy.requests] == ["PUT"]


async def test_more_is_sent_in_parts(bench: Bench) -> None:
    """30 MiB that do not compress are three parts of 8 MiB and a rest."""
    await write_all(bench.store(), KEY, CHUNKS)
    head = await bench.outside.head_object(Bucket=bench.bucket, Key=PATH)

    assert head["ETag"].endswith('-4"')


async def test_parts_grow_so_that_ten_thousand_suffice() -> None:
    """S3 takes 10,000 parts; they hold over 900 GiB, and no first one is under its 5 MiB."""
    sizes = [part_bytes(number) for number in range(1, 10_001)]

    assert sum(sizes) > 900 << 30
    assert (min(sizes), sizes) == (8 * MIB, sorted(sizes))


async def test_objects_say_what_they_are(bench: Bench) -> None:
    """A browser shows them as text, whether sent whole or in parts."""
    for key, chunks in ((KEY, [b"text"]), (OutputKey("t", "i", "Task_0", 1, "stderr"), CHUNKS)):
        location = await write_all(bench.store(), key, chunks)
        path = location.removeprefix(f"s3://{bench.bucket}/")
        head = await bench.outside.head_object(Bucket=bench.bucket, Key=path)

        assert (head["ContentType"], head["ContentEncoding"]) == ("text/plain; charset=utf-8", "gzip")


@pytest.mark.parametrize("chunks", [[b"text"], CHUNKS], ids=["whole", "in parts"])
@pytest.mark.parametrize(
    ("sse", "method", "key"),
    [
        (f"aws:kms:{ARN}", "aws:kms", ARN),
        ("AES256", "AES256", None),
    ],
)
async def test_objects_are_encrypted_as_configured(
    bench: Bench, chunks: list[bytes], sse: str, method: str, key: str | None
) -> None:
    """`aws:kms:KEY` names the service and the key, whatever colons the key has."""
    await write_all(bench.store(sse=sse), KEY, chunks)
    head = await bench.outside.head_object(Bucket=bench.bucket, Key=PATH)

    assert (head["ServerSideEncryption"], head.get("SSEKMSKeyId")) == (method, key)


@pytest.mark.parametrize("chunks", [[b"text"], CHUNKS], ids=["whole", "in parts"])
@pytest.mark.parametrize(
    ("sse", "asked"),
    [
        ("", {}),
        ("AES256", {"ServerSideEncryption": "AES256"}),
        ("aws:kms", {"ServerSideEncryption": "aws:kms", "BucketKeyEnabled": True}),
        ("aws:kms:k", {"ServerSideEncryption": "aws:kms", "BucketKeyEnabled": True, "SSEKMSKeyId": "k"}),
        ("aws:kms:dsse", {"ServerSideEncryption": "aws:kms:dsse"}),
        (f"aws:kms:dsse:{ARN}", {"ServerSideEncryption": "aws:kms:dsse", "SSEKMSKeyId": ARN}),
    ],
)
async def test_encryption_by_kms_is_asked_for_with_a_bucket_key(
    bench: Bench, chunks: list[bytes], sse: str, asked: dict[str, object]
) -> None:
    """Which saves a call of KMS for each object; S3 has none for encryption in two layers."""
    client = _Impostor(bench.client, every=1)
    await write_all(S3Outputs(open_bucket(cast("S3Client", client), bench.bucket, sse=sse), "logs"), KEY, chunks)
    objects = [each for each in client.asked if "ContentType" in each]

    encryption = {"ServerSideEncryption", "BucketKeyEnabled", "SSEKMSKeyId"}
    assert [{name: each[name] for name in encryption & each.keys()} for each in objects] == [asked]


async def test_a_store_that_fails_for_a_while_loses_no_byte(bench: Bench) -> None:
    """A time without a network in the middle of an output is waited out."""
    store = bench.store()
    sink = store.open(KEY)
    for number, chunk in enumerate(CHUNKS):
        if number == len(CHUNKS) // 2:
            bench.proxy.down(refusals=20)
        await sink.write(chunk)
    location = await sink.close()

    assert bench.proxy.refused == 20
    assert await read_all(store, location) == NOISE
    assert await bench.traces() == [PATH]


async def test_a_store_that_fails_for_good_is_given_up(bench: Bench) -> None:
    """Writing or closing raises `OutputError` once the time of the schedule is over."""
    sink = bench.store(schedule=replace(QUICK, limit_s=1.0)).open(KEY)
    await sink.write(NOISE[: 9 * MIB])
    bench.proxy.down()

    with pytest.raises(OutputError, match="tried again for 1 second"):
        async with asyncio.timeout(60):
            await write_on(sink, CHUNKS)
    await sink.abort()


@pytest.mark.parametrize(
    "lost", [r"^POST .*\?uploads", r"^PUT .*partNumber=1", r"^PUT .*partNumber=4", r"^POST .*uploadId="]
)
async def test_a_lost_response_does_no_harm(bench: Bench, lost: str) -> None:
    """Whichever response was lost, the output is complete and no second upload is left."""
    bench.proxy.lose = [lost]
    store = bench.store()
    location = await write_all(store, KEY, CHUNKS)

    assert bench.proxy.lose == []
    assert await read_all(store, location) == NOISE
    assert await bench.traces() == [PATH]


async def test_an_unknown_upload_is_aborted_too(bench: Bench) -> None:
    """An upload whose start lost its response goes when the output is discarded."""
    bench.proxy.lose = [r"^POST .*\?uploads"]
    sink = bench.store().open(KEY)
    for chunk in CHUNKS[:150]:
        await sink.write(chunk)
    await sink.abort()

    assert bench.proxy.lose == []
    assert await bench.traces() == []


@pytest.mark.parametrize("requests", range(1, 7))
@pytest.mark.parametrize("moments", [0, 5, 50])
async def test_a_cancelled_upload_leaves_nothing(bench: Bench, requests: int, moments: int) -> None:
    """Whether it is beginning, sending parts or completing."""
    writing = asyncio.create_task(write_all(bench.store(), KEY, CHUNKS))
    await bench.proxy.asked(requests)
    for _ in range(moments):
        await asyncio.sleep(0)
    assert writing.cancel()
    await asyncio.wait([writing])

    assert writing.cancelled()
    assert await bench.traces() == []


async def test_an_upload_that_fails_leaves_nothing(bench: Bench) -> None:
    """A part that cannot be sent ends the output, and those that were sent go."""
    store = bench.store(schedule=ONCE)
    bench.proxy.lose = [r"^PUT .*partNumber=3"] * 2  # aiohttp itself tries once more on a new connection

    with pytest.raises(OutputError):
        await write_all(store, KEY, CHUNKS)
    assert await bench.traces() == []


async def test_a_slow_store_makes_the_script_wait(bench: Bench) -> None:
    """While two parts are being sent and one is full, no more is taken until one of them has arrived."""
    sink, taken = bench.store().open(KEY), 0
    almost = asyncio.Event()

    async def write() -> str:
        nonlocal taken
        for chunk in CHUNKS * 2:
            await sink.write(chunk)
            taken += len(chunk)
            if taken > PARTS_IN_FLIGHT * part_bytes(1):
                almost.set()
        return await sink.close()

    bench.proxy.hold = "^PUT"
    writing = asyncio.create_task(write())
    await almost.wait()
    for _ in range(30):
        await bench.traces()  # time passes
    assert taken < (PARTS_IN_FLIGHT + 1) * part_bytes(1) + MIB
    bench.proxy.open.set()

    assert await read_all(bench.store(), await writing) == NOISE * 2


@pytest.mark.parametrize("spool_bytes", [0, 2 * MIB, 64 * MIB])
async def test_sinks_share_little_memory_and_do_not_block_each_other(bench: Bench, spool_bytes: int) -> None:
    """Outputs of several parts come through at once with no memory, a little, and enough."""
    store = bench.store(spool_bytes=spool_bytes)
    keys = [OutputKey("t", f"item {number}", "Task_0", 1, "stdout") for number in range(8)]
    locations = await asyncio.gather(*(write_all(store, key, CHUNKS[:100]) for key in keys))

    for location in locations:
        assert await read_all(store, location) == b"".join(CHUNKS[:100])


async def test_reading_survives_broken_connections(bench: Bench) -> None:
    """It goes on where the connection broke, with the same object."""
    store = bench.store()
    location = await write_all(store, KEY, CHUNKS)
    bench.proxy.down()
    bench.proxy.up()
    bench.proxy.cut = [100, 2 * MIB, MIB, 3 * MIB]

    assert await read_all(store, location) == NOISE
    assert bench.proxy.cut == []


async def test_a_bucket_that_is_not_there_is_named(bench: Bench) -> None:
    """The check and every sink say so at once, with a hint."""
    store = S3Outputs(open_bucket(bench.client, "no-such-bucket"))

    with pytest.raises(BucketMissing, match=r"bucket 'no-such-bucket' does not exist. hint:"):
        await store.check()
    with pytest.raises(BucketMissing):
        await write_all(store, KEY, [b"text"])
    with pytest.raises(BucketMissing):
        await write_all(store, KEY, CHUNKS)
    assert len(bench.proxy.requests) == len(set(bench.proxy.requests))  # nothing was tried again


async def write_on(sink: Sink, chunks: Iterable[bytes]) -> None:
    for chunk in chunks:
        await sink.write(chunk)


async def test_a_check_without_a_network_fails(bench: Bench) -> None:
    """It says at once that the bucket does not answer."""
    bench.proxy.down()

    with pytest.raises(Unavailable, match="does not answer"):
        await bench.store().check()


@pytest.mark.parametrize("chunks", [[b"text"], CHUNKS], ids=["whole", "in parts"])
async def test_a_response_that_is_not_a_buckets_is_not_believed(bench: Bench, chunks: list[bytes]) -> None:
    """Somebody in between answers every other request with 200 and no content: nothing counts as stored for that."""
    client = _Impostor(bench.client)
    store = S3Outputs(open_bucket(cast("S3Client", client), bench.bucket, schedule=QUICK), "logs")
    location = await write_all(store, KEY, chunks)

    assert client.answered > 0
    assert await read_all(bench.store(), location) == b"".join(chunks)
    assert await bench.traces() == [PATH]


class _Impostor:
    """A client that keeps the requests that store something; the first response of `every` is somebody else's."""

    def __init__(self, client: S3Client, *, every: int = 2) -> None:
        self._client, self._every = client, every
        self.answered = 0
        self.asked: list[dict[str, object]] = []

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - whatever the client has
        method = getattr(self._client, name)
        if name not in {"put_object", "create_multipart_upload", "upload_part"}:
            return method

        async def ask(**asked: object) -> object:
            self.asked.append(asked)
            if len(self.asked) % self._every == 1:
                self.answered += 1
                return {"ResponseMetadata": {"HTTPStatusCode": 200}}
            return await method(**asked)

        return ask


async def test_the_check_finds_that_parts_may_not_be_sent(bench: Bench) -> None:
    """A KMS key without `Decrypt` refuses the first part, hours into a run; the check leaves no upload behind."""

    class Forbidding:
        def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - whatever the client has
            return getattr(bench.client, name)

        async def upload_part(self, **_: object) -> object:
            raise ClientError({"Error": {"Code": "AccessDenied", "Message": "kms:Decrypt"}}, "UploadPart")

    client = cast("S3Client", Forbidding())
    with pytest.raises(Denied, match="kms:Decrypt"):
        await S3Outputs(open_bucket(client, bench.bucket, sse="aws:kms"), "logs").check()

    assert await bench.traces() == []
    assert [line.split()[0] for line in bench.proxy.requests] == ["POST", "DELETE"]


async def test_the_check_leaves_nothing_behind(bench: Bench) -> None:
    """It starts an upload, sends one small part and aborts."""
    await bench.store().check()

    assert [line.split()[0] for line in bench.proxy.requests] == ["POST", "PUT", "DELETE"]
    assert await bench.traces() == []

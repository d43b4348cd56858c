"""Output in a bucket: gzip, under `<prefix>/<table>/<itemID>/<task>/<attempt>-<mark>.stdout.gz`.

Output carries `Content-Type` and `Content-Encoding`, so a browser shows it as text. Objects of tasks are beside it, as
they are. Reading takes constant memory, whatever becomes of connections. The caller owns the client and closes it
after the stores.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from pyanamo_async.aws.errors import translated
from pyanamo_async.errors import OutputError, OutputMissing
from pyanamo_async.host.retry import RetrySchedule
from pyanamo_async.outputs.bucket import Bucket
from pyanamo_async.outputs.compression import GzipSink, PlainSink, decompressed
from pyanamo_async.outputs.keys import CHECK, output_path, safe_name
from pyanamo_async.outputs.retrying import READ_SCHEDULE, WRITE_SCHEDULE, retry_output
from pyanamo_async.outputs.spool import SPOOL_BYTES, Spool
from pyanamo_async.outputs.upload import Upload
from pyanamo_async.ports import ObjectKey, OutputKey, StoredObject, UnfinishedOutput

if TYPE_CHECKING:
    from types_aiobotocore_s3 import S3Client
    from types_aiobotocore_s3.type_defs import GetObjectOutputTypeDef

SCHEME = "s3://"
PARTS_AT_ONCE = 16  # requests that carry parts, of the whole worker: enough for the network of one machine
_TEXT = {"ContentType": "text/plain; charset=utf-8", "ContentEncoding": "gzip"}
KMS, DOUBLE_KMS = "aws:kms", "aws:kms:dsse"
READ_BYTES = 256 * 1024


def open_bucket(client: S3Client, name: str, *, sse: str = "", schedule: RetrySchedule = WRITE_SCHEDULE) -> Bucket:
    """Return a bucket for the stores below.

    `sse` is `AES256`, `aws:kms` or `aws:kms:dsse`, the latter two alone or with `:KEY`, the id or ARN of a key.
    """
    return Bucket(client, name, asyncio.Semaphore(PARTS_AT_ONCE), schedule, encryption(sse))


class S3Outputs:
    """An `OutputStore` in `bucket`, below the path `prefix`; all its sinks gather parts in `spool`."""

    def __init__(self, bucket: Bucket, prefix: str = "", *, spool: Spool | None = None) -> None:
        self._bucket = replace(bucket, properties={**_TEXT, **bucket.properties})
        self._prefix = prefix.strip("/")
        self.spool = spool or Spool(SPOOL_BYTES, bucket.schedule)

    async def check(self) -> None:
        """Start an upload, send a part and abort it: this needs the rights of a sink and leaves nothing behind.

        Without the part it would not show that `kms:Decrypt` is missing, which only output of several parts needs.
        """
        client, bucket = self._bucket.client, self._bucket.name
        key = self._key(f"{CHECK}{uuid.uuid4().hex}")
        already_aborted = suppress(OutputMissing)  # by a request whose response was lost
        with already_aborted, translated(f"bucket '{bucket}'", otherwise=OutputError):
            upload = await client.create_multipart_upload(Bucket=bucket, Key=key, **self._bucket.properties)
            where: Any = {"Bucket": bucket, "Key": key, "UploadId": upload["UploadId"]}
            try:
                await client.upload_part(**where, PartNumber=1, Body=b"check")
            finally:
                await client.abort_multipart_upload(**where)

    def open(self, key: OutputKey) -> GzipSink:
        return GzipSink(Upload(self._bucket, self._key(output_path(key)), self.spool))

    def location(self, key: OutputKey) -> str:
        return self._bucket.location(self._key(output_path(key)))

    async def read(self, location: str, *, start: int = 0) -> AsyncIterator[bytes]:
        """Stream the output at a location, in any bucket."""
        async for chunk in decompressed(download(self._bucket.client, *bucket_and_key(location)), start=start):
            yield chunk

    async def unfinished(self, table: str) -> AsyncIterator[UnfinishedOutput]:
        for folder in (f"{safe_name(table)}/", CHECK):
            async for upload in self._bucket.unfinished_uploads(self._key(folder)):
                yield UnfinishedOutput(self._bucket.location(upload["Key"]), upload["Initiated"], upload["UploadId"])

    async def discard(self, unfinished: UnfinishedOutput) -> None:
        await self._bucket.abort_upload(unfinished.location.removeprefix(self._bucket.location("")), unfinished.name)

    async def remove(self, location: str) -> None:
        _, key = bucket_and_key(location)
        await self._bucket.delete(key)

    def _key(self, path: str) -> str:
        return f"{self._prefix}/{path}" if self._prefix else path


def bucket_and_key(location: str) -> tuple[str, str]:
    """Return the parts of a location like `s3://bucket/key`.

    Raises:
        OutputMissing: it is none.
    """
    bucket, _, key = location.removeprefix(SCHEME).partition("/")
    if not location.startswith(SCHEME) or not key:
        raise OutputMissing(f"{location} is not a location in a bucket")
    return bucket, key


def encryption(sse: str) -> dict[str, Any]:
    """Return what is set on every object to encrypt it as asked: see `open_bucket`."""
    properties: dict[str, Any] = {}
    if f"{sse}:".startswith(f"{DOUBLE_KMS}:"):
        method = DOUBLE_KMS
    elif sse.startswith(KMS):
        method = KMS
        properties["BucketKeyEnabled"] = True  # a call of KMS now and then, instead of one for each object
    else:
        method = sse
    if method:
        properties["ServerSideEncryption"] = method
    if key := sse.removeprefix(method).removeprefix(":"):
        properties["SSEKMSKeyId"] = key
    return properties


class S3Objects:
    """An `ObjectStore` in `bucket`, below the path `prefix`; all its sinks gather parts in `spool`."""

    def __init__(self, bucket: Bucket, prefix: str = "", *, spool: Spool | None = None) -> None:
        self._bucket = bucket
        self._prefix = f"{prefix.strip('/')}/".lstrip("/")
        self._spool = spool or Spool(SPOOL_BYTES, bucket.schedule)

    def open(self, key: ObjectKey) -> PlainSink:
        return PlainSink(Upload(self._bucket, self._key(key), self._spool))

    def location(self, key: ObjectKey) -> str:
        return self._bucket.location(self._key(key))

    async def read(self, location: str, *, start: int = 0) -> AsyncIterator[bytes]:
        """Stream the object at a location, in any bucket."""
        name, key = bucket_and_key(location)
        client, schedule = self._bucket.client, self._bucket.schedule
        async for chunk in download(client, name, key, start=start, schedule=schedule):
            yield chunk

    def below(self, location: str) -> AsyncIterator[StoredObject]:
        _, prefix = bucket_and_key(location)
        return self._listed(prefix)

    def of_table(self, table: str) -> AsyncIterator[StoredObject]:
        return self._listed(f"{self._prefix}{safe_name(table)}/")

    async def remove(self, location: str) -> None:
        _, key = bucket_and_key(location)
        await self._bucket.delete(key)

    async def _listed(self, prefix: str) -> AsyncIterator[StoredObject]:
        async for each in self._bucket.objects(prefix):
            key = each["Key"]
            location = self._bucket.location(key)
            yield StoredObject(key.removeprefix(prefix), location, each["Size"], each["LastModified"])

    def _key(self, key: ObjectKey) -> str:
        return f"{self._prefix}{'/'.join(map(safe_name, (key.table, key.item_id, key.task)))}/{key.path}"


async def download(
    client: S3Client, bucket: str, key: str, *, start: int = 0, schedule: RetrySchedule = READ_SCHEDULE
) -> AsyncIterator[bytes]:
    """Stream an object from byte `start` of it on; resume where a broken connection stopped it.

    Raises:
        OutputMissing: there is no such object.
        OutputError: the connection breaks again and again, or the object may not be read.
    """
    offset = 0
    first: GetObjectOutputTypeDef | None = None
    response: GetObjectOutputTypeDef | None = None

    async def read() -> bytes:
        """Return the next chunk, empty at the end; after an error, the next call resumes with a new request."""
        nonlocal first, response
        if first and offset == first.get("ContentLength"):
            return b""
        resumed: Any = {"Range": f"bytes={start + offset}-"} if start + offset else {}
        resumed |= {"IfMatch": first.get("ETag", "*")} if first else {}
        with translated(f"s3://{bucket}/{key}", otherwise=OutputError):
            current, response = response or await client.get_object(Bucket=bucket, Key=key, **resumed), None
            first = first or current
            try:
                chunk = await current["Body"].read(READ_BYTES)
            except BaseException:
                current["Body"].close()
                raise
        response = current
        return chunk

    try:
        while chunk := await retry_output(read, schedule):
            offset += len(chunk)
            yield chunk
    finally:
        if response:
            response["Body"].close()

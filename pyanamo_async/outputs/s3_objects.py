"""Objects of tasks in a bucket, as they are, beside the output of their tasks."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

from pyanamo_async.host.retry import RetrySchedule
from pyanamo_async.host.waiting import shielded
from pyanamo_async.outputs.bucket import Bucket
from pyanamo_async.outputs.download import download
from pyanamo_async.outputs.keys import safe_name
from pyanamo_async.outputs.retrying import WRITE_SCHEDULE
from pyanamo_async.outputs.s3 import PARTS_AT_ONCE, bucket_and_key, encryption
from pyanamo_async.outputs.spool import SPOOL_BYTES, Spool
from pyanamo_async.outputs.upload import Upload
from pyanamo_async.ports import ObjectKey, StoredObject

if TYPE_CHECKING:
    from types_aiobotocore_s3 import S3Client


class S3Objects:
    """An `ObjectStore` in `bucket`, below the path `prefix`; `sse` and `spool` are as for `S3Outputs`."""

    def __init__(
        self,
        client: S3Client,
        bucket: str,
        prefix: str = "",
        *,
        sse: str = "",
        spool: Spool | None = None,
        schedule: RetrySchedule = WRITE_SCHEDULE,
    ) -> None:
        self._client, self._schedule = client, schedule
        self._prefix = f"{prefix.strip('/')}/".lstrip("/")
        self._spool = spool or Spool(SPOOL_BYTES, schedule)
        self._bucket = Bucket(client, bucket, asyncio.Semaphore(PARTS_AT_ONCE), schedule, encryption(sse))

    def open(self, key: ObjectKey) -> UploadSink:
        return UploadSink(Upload(self._bucket, self._key(key), self._spool))

    def location(self, key: ObjectKey) -> str:
        return self._bucket.location(self._key(key))

    async def read(self, location: str, *, start: int = 0) -> AsyncIterator[bytes]:
        """Stream the object at a location, in any bucket."""
        bucket, key = bucket_and_key(location)
        async for chunk in download(self._client, bucket, key, start=start, schedule=self._schedule):
            yield chunk

    def below(self, key: ObjectKey) -> AsyncIterator[StoredObject]:
        return self._listed(self._key(key))

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


class UploadSink:
    """A `ports.Sink` of bytes as they are."""

    def __init__(self, upload: Upload) -> None:
        self._upload = upload
        self._ended = False

    async def write(self, chunk: bytes) -> None:
        await self._upload.put(chunk)

    async def close(self) -> str:
        location = await self._upload.finish()
        self._ended = True
        return location

    async def abort(self) -> None:
        if not self._ended:
            self._ended = True
            await shielded(self._upload.discard())

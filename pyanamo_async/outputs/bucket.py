"""The requests that sinks make to S3, each retried until it succeeds or the schedule ends.

A request that is repeated after a lost response does no harm:

1. Putting and deleting are idempotent.
2. An upload that no longer exists when it is to be completed was completed by the first request.
3. An upload started by a request whose response was lost is found by its key and aborted.

A response without the ETag or the id that S3 always gives is not S3's, whatever its status: the request is repeated.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from pyanamo_async.aws.errors import translated
from pyanamo_async.errors import OutputError, OutputMissing, Unavailable
from pyanamo_async.host.retry import RetrySchedule
from pyanamo_async.host.waiting import shielded
from pyanamo_async.outputs.retrying import retry_output
from pyanamo_async.outputs.spool import Part

if TYPE_CHECKING:
    from types_aiobotocore_s3 import S3Client
    from types_aiobotocore_s3.type_defs import MultipartUploadTypeDef, ObjectTypeDef

GRACE_S = 10.0  # for a request that a cancellation must not cut short

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Bucket:
    """A bucket as sinks see it.

    `part_limit` limits how many requests carry parts at the same time; `properties` are set on every object. Every
    method raises `OutputError` when the schedule ends or no retry can help.
    """

    client: S3Client
    name: str
    part_limit: asyncio.Semaphore
    schedule: RetrySchedule
    properties: Mapping[str, Any]

    def location(self, key: str) -> str:
        """Return the location of an object."""
        return f"s3://{self.name}/{key}"

    async def put(self, key: str, part: Part) -> None:
        """Put an object in one request."""
        await self._request_shielded(self.client.put_object, part, needs="ETag", Key=key, **self.properties)

    async def start_upload(self, key: str) -> str:
        """Start a multipart upload and return its id."""
        create = self.client.create_multipart_upload
        response = await self._request_shielded(create, needs="UploadId", Key=key, **self.properties)
        return response["UploadId"]

    async def send_part(self, key: str, upload_id: str, number: int, part: Part) -> str:
        """Send a part and return its ETag."""
        which: Any = {"Key": key, "UploadId": upload_id, "PartNumber": number}
        response = await self._request(self.client.upload_part, part, needs="ETag", **which)
        return response["ETag"]

    async def complete_upload(self, key: str, upload_id: str, etags: Mapping[int, str]) -> None:
        """Make an object from the parts of an upload."""
        parts = {"Parts": [{"PartNumber": number, "ETag": etags[number]} for number in sorted(etags)]}
        complete = self.client.complete_multipart_upload
        try:
            await self._request_shielded(complete, needs="ETag", Key=key, UploadId=upload_id, MultipartUpload=parts)
        except OutputMissing:  # the first response was lost
            await self._request(self.client.head_object, needs="ETag", Key=key)

    async def abort_upload(self, key: str, upload_id: str) -> None:
        """Delete the parts of an upload; harmless when there is no such upload."""
        with suppress(OutputMissing):
            await self._request(self.client.abort_multipart_upload, Key=key, UploadId=upload_id)

    async def upload_ids(self, key: str) -> list[str]:
        """Return the ids of the unfinished uploads of a key."""
        response = await self._request(self.client.list_multipart_uploads, Prefix=key)
        return [upload["UploadId"] for upload in response.get("Uploads", []) if upload["Key"] == key]

    async def unfinished_uploads(self, prefix: str) -> AsyncIterator[MultipartUploadTypeDef]:
        """List all unfinished uploads of keys that begin with `prefix`."""
        pages = self.client.get_paginator("list_multipart_uploads").paginate(Bucket=self.name, Prefix=prefix)
        with translated(f"bucket '{self.name}'", otherwise=OutputError):
            async for page in pages:
                for upload in page.get("Uploads", []):
                    yield upload

    async def objects(self, prefix: str) -> AsyncIterator[ObjectTypeDef]:
        """List all objects whose keys begin with `prefix`."""
        more: dict[str, Any] = {}
        while True:
            page = await self._request(self.client.list_objects_v2, Prefix=prefix, **more)
            for each in page.get("Contents", []):
                yield each
            if not page.get("IsTruncated"):
                return
            more = {"ContinuationToken": page["NextContinuationToken"]}

    async def delete(self, key: str) -> None:
        """Delete an object; harmless when there is none."""
        await self._request(self.client.delete_object, Key=key)

    async def _request(
        self, call: Callable[..., Awaitable[T]], part: Part | None = None, *, needs: str = "", **asked: object
    ) -> T:
        return await retry_output(lambda: self._call(call, part, needs, asked), self.schedule)

    async def _request_shielded(
        self, call: Callable[..., Awaitable[T]], part: Part | None = None, *, needs: str = "", **asked: object
    ) -> T:
        """Make a request whose effect cannot be undone before it ends: a cancellation waits for its end."""
        return await retry_output(
            lambda: shielded(self._call(call, part, needs, asked), grace_s=GRACE_S), self.schedule
        )

    async def _call(
        self, call: Callable[..., Awaitable[T]], part: Part | None, needs: str, asked: Mapping[str, object]
    ) -> T:
        what = f"bucket '{self.name}'"
        with translated(what, otherwise=OutputError):
            if part is None:
                response: Any = await call(Bucket=self.name, **asked)
            else:
                async with self.part_limit:
                    response = await call(Bucket=self.name, Body=part.body(), **asked)
        if needs and needs not in response:
            raise Unavailable(f"{what} sent a response without {needs}")
        return response  # type: ignore[no-any-return]

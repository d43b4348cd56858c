"""The requests output makes of S3, each made until it is answered or patience ends.

Sent again after a lost answer they do no harm: putting and deleting are idempotent, an upload that is gone when it is
to be completed has been completed, and of two uploads that were begun the forgotten one is found by its key.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeVar

from pyanamo_async.aws.errors import translated
from pyanamo_async.errors import OutputError, OutputMissing
from pyanamo_async.outputs.patience import Patience
from pyanamo_async.outputs.sink import to_its_end
from pyanamo_async.outputs.spool import Part

if TYPE_CHECKING:
    from types_aiobotocore_s3 import S3Client
    from types_aiobotocore_s3.type_defs import CompletedPartTypeDef, MultipartUploadTypeDef

GRACE_S = 10.0

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Begun:
    """A multipart upload; unless it is `alone`, an earlier try may have begun another of the same key."""

    upload_id: str
    alone: bool


@dataclass(frozen=True, slots=True)
class Bucket:
    """A bucket as sinks see it. `gate` limits how many requests carry parts at once, `properties` go with all objects.

    Every method raises `OutputError` when patience ends or waiting mends nothing.
    """

    client: S3Client
    name: str
    gate: asyncio.Semaphore
    patience: Patience
    properties: Mapping[str, Any]

    def patient(self, patience: Patience) -> Bucket:
        """See the same bucket with another patience."""
        return replace(self, patience=patience)

    def location(self, key: str) -> str:
        """Tell where an object stands."""
        return f"s3://{self.name}/{key}"

    async def put(self, key: str, part: Part) -> None:
        """Put an object whole."""

        async def carry() -> None:
            async with self.gate:
                await self.client.put_object(Bucket=self.name, Key=key, Body=part.body(), **self.properties)

        await self._ask(carry, lasting=True)

    async def begin(self, key: str) -> Begun:
        """Begin a multipart upload."""
        tries = 0

        async def begin() -> Begun:
            nonlocal tries
            tries += 1
            answer = await self.client.create_multipart_upload(Bucket=self.name, Key=key, **self.properties)
            again = tries > 1 or answer["ResponseMetadata"]["RetryAttempts"] > 0
            return Begun(answer["UploadId"], alone=not again)

        return await self._ask(begin, lasting=True)

    async def send(self, key: str, upload_id: str, number: int, part: Part) -> str:
        """Send a part and return its ETag."""

        async def carry() -> str:
            async with self.gate:
                answer = await self.client.upload_part(
                    Bucket=self.name, Key=key, UploadId=upload_id, PartNumber=number, Body=part.body()
                )
            return answer["ETag"]

        return await self._ask(carry)

    async def complete(self, key: str, upload_id: str, etags: Mapping[int, str]) -> None:
        """Make an object of the parts of an upload."""
        parts: list[CompletedPartTypeDef] = [{"PartNumber": number, "ETag": etags[number]} for number in sorted(etags)]
        try:
            await self._ask(
                lambda: self.client.complete_multipart_upload(
                    Bucket=self.name, Key=key, UploadId=upload_id, MultipartUpload={"Parts": parts}
                ),
                lasting=True,
            )
        except OutputMissing:
            await self._ask(lambda: self.client.head_object(Bucket=self.name, Key=key))  # the first answer was lost

    async def abort(self, key: str, upload_id: str) -> None:
        """Throw the parts of an upload away; harmless when there is none."""
        try:
            await self._ask(lambda: self.client.abort_multipart_upload(Bucket=self.name, Key=key, UploadId=upload_id))
        except OutputMissing:
            return

    async def uploads(self, key: str) -> list[str]:
        """List the uploads of a key that are under way."""
        answer = await self._ask(lambda: self.client.list_multipart_uploads(Bucket=self.name, Prefix=key))
        return [upload["UploadId"] for upload in answer.get("Uploads", []) if upload["Key"] == key]

    async def under_way(self, prefix: str) -> AsyncIterator[MultipartUploadTypeDef]:
        """List all uploads under way of keys that begin with `prefix`."""
        pages = self.client.get_paginator("list_multipart_uploads").paginate(Bucket=self.name, Prefix=prefix)
        with translated(f"bucket '{self.name}'", otherwise=OutputError):
            async for page in pages:
                for upload in page.get("Uploads", []):
                    yield upload

    async def delete(self, key: str) -> None:
        """Delete an object; harmless when there is none."""
        await self._ask(lambda: self.client.delete_object(Bucket=self.name, Key=key))

    async def _ask(self, request: Callable[[], Awaitable[Result]], *, lasting: bool = False) -> Result:
        """Make a request. What a `lasting` one does cannot be undone before it ends: a cancellation waits for that."""

        async def once() -> Result:
            with translated(f"bucket '{self.name}'", otherwise=OutputError):
                return await request()

        return await self.patience.through((lambda: to_its_end(once(), at_most_s=GRACE_S)) if lasting else once)

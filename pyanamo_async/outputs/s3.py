"""Output in a bucket: gzip, under `<prefix>/<table>/<itemID>/<task>/<attempt>.stdout.gz`.

Objects say what they are (`Content-Type`, `Content-Encoding`), so that a browser shows them as text. The client is the
caller's, to be closed after the store.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from pyanamo_async.aws.errors import translated
from pyanamo_async.errors import OutputError, OutputMissing
from pyanamo_async.outputs.bucket import Bucket
from pyanamo_async.outputs.compression import decompressed
from pyanamo_async.outputs.download import download
from pyanamo_async.outputs.keys import CHECK, name, path
from pyanamo_async.outputs.patience import Patience
from pyanamo_async.outputs.sink import GzipSink
from pyanamo_async.outputs.spool import SPOOL_BYTES, Spool
from pyanamo_async.outputs.upload import Upload
from pyanamo_async.ports import OutputKey, Unfinished

if TYPE_CHECKING:
    from types_aiobotocore_s3 import S3Client

SCHEME = "s3://"
REQUESTS = 16  # that carry parts at once, of the whole worker: what one machine's network can feed


class S3Outputs:
    """An `OutputStore` in `bucket`, below the path `prefix`.

    `sse` is `aws:kms`, or `aws:kms:KEY` with the id or ARN of a key; `spool_bytes` is the memory for what all sinks
    gather, in `spool`.
    """

    def __init__(
        self,
        client: S3Client,
        bucket: str,
        prefix: str = "",
        *,
        sse: str = "",
        spool_bytes: int = SPOOL_BYTES,
        patience: Patience | None = None,
    ) -> None:
        patience = patience or Patience()
        self._client = client
        self._prefix = prefix.strip("/")
        self.spool = Spool(spool_bytes, patience)
        self._bucket = Bucket(client, bucket, asyncio.Semaphore(REQUESTS), patience, _properties(sse))

    async def check(self) -> None:
        """Begin an upload and abort it: what a sink needs to be allowed to, and nothing stays."""
        bucket, key = self._bucket.name, self._key(f"{CHECK}{uuid.uuid4().hex}")
        gone = suppress(OutputMissing)  # aborted already, by a request whose answer was lost
        with gone, translated(f"bucket '{bucket}'", otherwise=OutputError):
            upload = await self._client.create_multipart_upload(Bucket=bucket, Key=key, **self._bucket.properties)
            await self._client.abort_multipart_upload(Bucket=bucket, Key=key, UploadId=upload["UploadId"])

    def open(self, key: OutputKey) -> GzipSink:
        """Start a sink."""
        return GzipSink(Upload(self._bucket, self._key(path(key)), self.spool))

    def location(self, key: OutputKey) -> str:
        """Tell where the output of a key stands."""
        return self._bucket.location(self._key(path(key)))

    async def read(self, location: str, *, start: int = 0) -> AsyncIterator[bytes]:
        """Stream what stands at a location, of any bucket."""
        bucket, _, key = location.removeprefix(SCHEME).partition("/")
        if not location.startswith(SCHEME) or not key:
            raise OutputMissing(f"{location} is no place in a bucket")
        async for piece in decompressed(download(self._client, bucket, key), start=start):
            yield piece

    async def unfinished(self, table: str) -> AsyncIterator[Unfinished]:
        """List the multipart uploads that are under way."""
        for folder in (f"{name(table)}/", CHECK):
            async for upload in self._bucket.under_way(self._key(folder)):
                yield Unfinished(self._bucket.location(upload["Key"]), upload["Initiated"], upload["UploadId"])

    async def discard(self, unfinished: Unfinished) -> None:
        """Abort the upload."""
        await self._bucket.abort(unfinished.location.removeprefix(self._bucket.location("")), unfinished.name)

    async def remove(self, key: OutputKey) -> None:
        """Delete the object."""
        await self._bucket.delete(self._key(path(key)))

    async def close(self) -> None:
        """Let go of nothing: sinks own their parts, and the client is the caller's."""

    def _key(self, path: str) -> str:
        return f"{self._prefix}/{path}" if self._prefix else path


def _properties(sse: str) -> dict[str, Any]:
    encryption: dict[str, Any] = {}
    if sse:
        service, key = sse[: len("aws:kms")], sse[len("aws:kms:") :]
        encryption = {"ServerSideEncryption": service} | ({"SSEKMSKeyId": key} if key else {})
    return {"ContentType": "text/plain; charset=utf-8", "ContentEncoding": "gzip", **encryption}

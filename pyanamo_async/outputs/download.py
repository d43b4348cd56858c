"""Read an object of S3 as a stream that resumes where a broken connection stopped it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

from pyanamo_async.aws.errors import translated
from pyanamo_async.errors import OutputError
from pyanamo_async.outputs.retrying import READ_SCHEDULE, retry_output

if TYPE_CHECKING:
    from types_aiobotocore_s3 import S3Client
    from types_aiobotocore_s3.type_defs import GetObjectOutputTypeDef

READ_BYTES = 256 * 1024


async def download(client: S3Client, bucket: str, key: str) -> AsyncIterator[bytes]:
    """Stream an object.

    Raises:
        OutputMissing: there is no such object.
        OutputError: the connection breaks again and again, or the object may not be read.
    """
    stream = _Stream(client, bucket, key)
    try:
        while chunk := await retry_output(stream.read, READ_SCHEDULE):
            yield chunk
    finally:
        stream.close()


class _Stream:
    def __init__(self, client: S3Client, bucket: str, key: str) -> None:
        self._client = client
        self._bucket = bucket
        self._key = key
        self._offset = 0
        self._size: int | None = None
        self._etag = ""
        self._response: GetObjectOutputTypeDef | None = None

    async def read(self) -> bytes:
        """Return the next chunk, empty at the end; after an error, the next call resumes with a new request."""
        if self._offset == self._size:
            return b""
        try:
            with translated(f"s3://{self._bucket}/{self._key}", otherwise=OutputError):
                response = self._response = self._response or await self._request()
                chunk = await response["Body"].read(READ_BYTES)
        except BaseException:
            self.close()
            raise
        self._offset += len(chunk)
        return chunk

    def close(self) -> None:
        if self._response is not None:
            self._response["Body"].close()
            self._response = None

    async def _request(self) -> GetObjectOutputTypeDef:
        if self._size is not None:
            return await self._client.get_object(
                Bucket=self._bucket, Key=self._key, Range=f"bytes={self._offset}-", IfMatch=self._etag
            )
        response = await self._client.get_object(Bucket=self._bucket, Key=self._key)
        self._size, self._etag = response["ContentLength"], response["ETag"]
        return response

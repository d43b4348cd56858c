"""Read an object of S3 as a stream that survives broken connections: it goes on where it stopped."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import TYPE_CHECKING

from pyanamo_async.aws.errors import translated
from pyanamo_async.errors import OutputError
from pyanamo_async.outputs.patience import Patience

if TYPE_CHECKING:
    from types_aiobotocore_s3 import S3Client
    from types_aiobotocore_s3.type_defs import GetObjectOutputTypeDef

READ_BYTES = 256 * 1024
A_MOMENT = Patience(limit=timedelta(seconds=10))  # somebody waits at a terminal


async def download(client: S3Client, bucket: str, key: str, *, patience: Patience = A_MOMENT) -> AsyncIterator[bytes]:
    """Stream an object.

    Raises:
        OutputMissing: there is none.
        OutputError: the connection breaks again and again, or it may not be read.
    """
    stream = _Stream(client, bucket, key)
    try:
        while piece := await patience.through(stream.read):
            yield piece
    finally:
        stream.hang_up()


class _Stream:
    def __init__(self, client: S3Client, bucket: str, key: str) -> None:
        self._client = client
        self._bucket = bucket
        self._key = key
        self._at = 0
        self._size: int | None = None
        self._etag = ""
        self._answer: GetObjectOutputTypeDef | None = None

    async def read(self) -> bytes:
        if self._at == self._size:
            return b""
        try:
            with translated(f"s3://{self._bucket}/{self._key}", otherwise=OutputError):
                answer = self._answer = self._answer or await self._ask()
                piece = await answer["Body"].read(READ_BYTES)
        except BaseException:
            self.hang_up()
            raise
        self._at += len(piece)
        return piece

    def hang_up(self) -> None:
        if self._answer is not None:
            self._answer["Body"].close()
            self._answer = None

    async def _ask(self) -> GetObjectOutputTypeDef:
        if self._size is not None:
            return await self._client.get_object(
                Bucket=self._bucket, Key=self._key, Range=f"bytes={self._at}-", IfMatch=self._etag
            )
        answer = await self._client.get_object(Bucket=self._bucket, Key=self._key)
        self._size, self._etag = answer["ContentLength"], answer["ETag"]
        return answer

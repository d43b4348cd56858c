"""Read objects from S3 in constant memory, whatever becomes of connections."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any

from pyanamo_async.aws.errors import translated
from pyanamo_async.errors import OutputError
from pyanamo_async.host.retry import RetrySchedule
from pyanamo_async.outputs.retrying import READ_SCHEDULE, retry_output

if TYPE_CHECKING:
    from types_aiobotocore_s3 import S3Client
    from types_aiobotocore_s3.type_defs import GetObjectOutputTypeDef

READ_BYTES = 256 * 1024


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

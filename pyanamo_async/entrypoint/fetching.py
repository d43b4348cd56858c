"""Fetch an archive of scripts to a file, and see that it is the one that was meant."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
from contextlib import closing
from pathlib import Path
from typing import Any

from pyanamo_async.entrypoint.archive import ArchiveRefused, Limits
from pyanamo_async.entrypoint.request import Scripts
from pyanamo_async.errors import OutputError, PyanamoError
from pyanamo_async.host.retry import RetrySchedule, retry

SCHEDULE = RetrySchedule(limit_s=60.0)  # thousands may start at once
CHUNK_BYTES = 1 << 20


def fetch(scripts: Scripts, into: Path, *, region: str | None, limits: Limits) -> Path:
    """Bring an archive to the file `into` if it is in a bucket, check it, and return where it is.

    Raises:
        ArchiveRefused: it is too large, or its checksum is another.
        PyanamoError: it cannot be had.
    """
    if scripts.bucket:
        asyncio.run(retry(lambda: _download(scripts, into, region, limits), SCHEDULE))
        path = into
    else:
        path = Path(scripts.path)
        if not path.is_file():
            raise PyanamoError(
                "there is no such file", hint="write s3://bucket/key, or the path of a file in the image"
            )
    if scripts.sha256:
        with path.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
        if not hmac.compare_digest(found, scripts.sha256):
            raise ArchiveRefused(f"its SHA-256 is {found}, not {scripts.sha256}")
    return path


async def _download(scripts: Scripts, into: Path, region: str | None, limits: Limits) -> None:
    from pyanamo_async.aws.errors import translated
    from pyanamo_async.aws.session import Aws

    version: Any = {"VersionId": scripts.version} if scripts.version else {}
    async with Aws(region=region, concurrency=1) as aws:
        s3 = await aws.s3()
        with translated(scripts.address, otherwise=OutputError):
            reply = await s3.get_object(Bucket=scripts.bucket, Key=scripts.key, **version)
            expected, received = reply["ContentLength"], 0
            if expected > limits.archive_bytes:
                raise ArchiveRefused(f"it has {expected:,} bytes; at most {limits.archive_bytes:,} are unpacked")
            with closing(reply["Body"]) as body, into.open("wb") as file:
                while chunk := await body.read(CHUNK_BYTES):
                    received += len(chunk)
                    file.write(chunk)
    if received != expected:
        raise OutputError(f"{received:,} of {expected:,} bytes came")

"""Send one output to S3 while its script still writes it.

1. Nothing is sent before the first part is full. Output that fits one part is one PutObject; more is a multipart
   upload.
2. At most two parts are being sent, so a slow service makes the script wait instead of making the worker grow.
3. Parts grow, so that the 10,000 parts of S3 hold 947 GiB compressed. All but the last are above its minimum of 5 MiB.
4. After an error or a cancellation, wherever it hits, nothing is left behind as long as S3 answers.
"""

from __future__ import annotations

import asyncio
import logging
import sys

from pyanamo_async.errors import PyanamoError
from pyanamo_async.outputs.bucket import Bucket
from pyanamo_async.outputs.spool import Part, Spool

MIB = 1024 * 1024
PARTS_IN_FLIGHT = 2
CLEANUP_S = 20.0  # less than the 30 s that a platform leaves between SIGTERM and SIGKILL

_PART_SIZES = ((1000, 8 * MIB), (3000, 32 * MIB), (sys.maxsize, 128 * MIB))  # up to which part number, how large

logger = logging.getLogger(__name__)


def part_bytes(number: int) -> int:
    """Return how many bytes part `number` (from 1) gathers before it is sent."""
    return next(size for last, size in _PART_SIZES if number <= last)


class Upload:
    """One object in a bucket."""

    def __init__(self, bucket: Bucket, key: str, spool: Spool) -> None:
        self._bucket = bucket
        self._key = key
        self._spool = spool
        self._part = Part(spool)
        self._number = 1
        self._sending: set[asyncio.Task[None]] = set()
        self._etags: dict[int, str] = {}
        self._upload_id: str | None = None
        self._start_requested = False
        self._publish_requested = False

    async def put(self, data: bytes) -> None:
        """Add bytes to the current part; send the part when it is full."""
        await self._part.append(data)
        if self._part.size >= part_bytes(self._number):
            await self._send(await self._start())

    async def finish(self) -> str:
        """Publish the object and return its location."""
        if self._upload_id is None:
            self._publish_requested = True
            await self._bucket.put(self._key, self._part)
            self._part.close()
        else:
            await self._complete(self._upload_id)
        return self._bucket.location(self._key)

    async def discard(self) -> None:
        """Remove parts, uploads and object."""
        for task in self._sending:
            task.cancel()
        await asyncio.gather(*self._sending, return_exceptions=True)
        self._part.close()
        await self._clean_up(uploads=self._start_requested, published=self._publish_requested)

    async def _start(self) -> str:
        self._start_requested = True
        self._upload_id = self._upload_id or await self._bucket.start_upload(self._key)
        return self._upload_id

    async def _send(self, upload_id: str) -> None:
        while len(self._sending) >= PARTS_IN_FLIGHT:
            await self._wait_for_one()
        sending = self._send_part(upload_id, self._number, self._part)
        self._sending.add(asyncio.create_task(sending, name=f"part {self._number} of {self._key}"))
        self._part = Part(self._spool)
        self._number += 1

    async def _send_part(self, upload_id: str, number: int, part: Part) -> None:
        try:
            self._etags[number] = await self._bucket.send_part(self._key, upload_id, number, part)
        finally:
            part.close()

    async def _wait_for_one(self) -> None:
        sent, self._sending = await asyncio.wait(self._sending, return_when=asyncio.FIRST_COMPLETED)
        await asyncio.gather(*sent)

    async def _complete(self, upload_id: str) -> None:
        if self._part.size:
            await self._send(upload_id)
        while self._sending:
            await self._wait_for_one()
        self._publish_requested = True
        await self._bucket.complete_upload(self._key, upload_id, self._etags)
        await self._clean_up(uploads=True)

    async def _clean_up(self, *, uploads: bool, published: bool = False) -> None:
        """Remove what must not stay; log what S3 does not remove, because it changes nothing for the task."""
        bucket = self._bucket
        try:
            async with asyncio.timeout(CLEANUP_S):
                if published:
                    await bucket.delete(self._key)
                if uploads:  # a request whose response was lost may have started more than one
                    for upload_id in await bucket.upload_ids(self._key):
                        await bucket.abort_upload(self._key, upload_id)
        except (PyanamoError, TimeoutError) as error:
            reason = error or "the bucket does not answer"
            logger.warning("output left behind at %s: %s", bucket.location(self._key), reason)

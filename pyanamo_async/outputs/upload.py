"""Send one output to S3 while it is produced.

Nothing is sent before the first part is full: what fits one part is one PutObject, more is a multipart upload. At most
two parts are under way, so that a slow service makes the script wait, not the worker grow. Parts grow, so that the
10,000 there may be hold 947 GiB compressed; all but the last have more than the 5 MiB S3 asks for.

Whatever goes wrong, and wherever a cancellation hits, nothing is left behind as long as S3 answers.
"""

from __future__ import annotations

import asyncio
import logging
import sys
from dataclasses import replace
from datetime import timedelta

from pyanamo_async.errors import PyanamoError
from pyanamo_async.outputs.bucket import Begun, Bucket
from pyanamo_async.outputs.spool import Part, Spool

MIB = 1024 * 1024
PARTS_UNDER_WAY = 2
CLEANING = timedelta(seconds=20)  # less than the 30 s a platform leaves between SIGTERM and SIGKILL

_PART_SIZES = ((1000, 8 * MIB), (3000, 32 * MIB), (sys.maxsize, 128 * MIB))  # up to which number, how large

logger = logging.getLogger(__name__)


def part_bytes(number: int) -> int:
    """Tell how many bytes part `number`, from 1, gathers before it is sent."""
    return next(size for last, size in _PART_SIZES if number <= last)


class Upload:
    """A `sink.Target`: one object of a bucket."""

    def __init__(self, bucket: Bucket, key: str, spool: Spool) -> None:
        self._bucket = bucket
        self._key = key
        self._spool = spool
        self._part = spool.part()
        self._number = 1
        self._sending: set[asyncio.Task[None]] = set()
        self._etags: dict[int, str] = {}
        self._begun: Begun | None = None
        self._asked_to_begin = False
        self._asked_to_publish = False

    async def put(self, data: bytes) -> None:
        """Take bytes; send the part they fill."""
        await self._part.append(data)
        if self._part.size >= part_bytes(self._number):
            await self._send(await self._upload())

    async def finish(self) -> str:
        """Make the object and return its location."""
        if self._begun is None:
            self._asked_to_publish = True
            await self._bucket.put(self._key, self._part)
            self._part.close()
        else:
            await self._complete(self._begun)
        return self._bucket.location(self._key)

    async def discard(self) -> None:
        """Remove parts, uploads and object."""
        for task in self._sending:
            task.cancel()
        await asyncio.gather(*self._sending, return_exceptions=True)
        self._part.close()
        await self._clean(uploads=self._asked_to_begin, published=self._asked_to_publish)

    async def _upload(self) -> Begun:
        self._asked_to_begin = True
        self._begun = self._begun or await self._bucket.begin(self._key)
        return self._begun

    async def _send(self, upload: Begun) -> None:
        while len(self._sending) >= PARTS_UNDER_WAY:
            await self._one_sent()
        carrying = self._carry(upload.upload_id, self._number, self._part)
        self._sending.add(asyncio.create_task(carrying, name=f"part {self._number} of {self._key}"))
        self._part = self._spool.part()
        self._number += 1

    async def _carry(self, upload_id: str, number: int, part: Part) -> None:
        try:
            self._etags[number] = await self._bucket.send(self._key, upload_id, number, part)
        finally:
            part.close()

    async def _one_sent(self) -> None:
        sent, self._sending = await asyncio.wait(self._sending, return_when=asyncio.FIRST_COMPLETED)
        await asyncio.gather(*sent)

    async def _complete(self, upload: Begun) -> None:
        if self._part.size:
            await self._send(upload)
        while self._sending:
            await self._one_sent()
        self._asked_to_publish = True
        await self._bucket.complete(self._key, upload.upload_id, self._etags)
        await self._clean(uploads=not upload.alone)

    async def _clean(self, *, uploads: bool, published: bool = False) -> None:
        """Remove what must not stay, and say in the log what S3 does not let us: it changes nothing for the task."""
        patience = self._bucket.patience
        bucket = self._bucket.patient(replace(patience, limit=min(CLEANING, patience.limit)))
        try:
            async with asyncio.timeout(CLEANING.total_seconds()):
                if published:
                    await bucket.delete(self._key)
                if uploads:
                    await self._abort_all(bucket)
        except (PyanamoError, TimeoutError) as error:
            logger.warning("output left behind at %s: %s", bucket.location(self._key), error or "it does not answer")

    async def _abort_all(self, bucket: Bucket) -> None:
        if self._begun:
            await bucket.abort(self._key, self._begun.upload_id)
        for upload_id in await bucket.uploads(self._key):  # begun by a request whose answer nobody got
            await bucket.abort(self._key, upload_id)

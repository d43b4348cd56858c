"""The stores of the contract: each with a way to see from outside what is kept."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import aioboto3
from aiobotocore.config import AioConfig

from pyanamo_async.outputs.cloudwatch import CloudWatchOutputs
from pyanamo_async.outputs.compression import CHUNK_BYTES
from pyanamo_async.outputs.files import FileOutputs
from pyanamo_async.outputs.memory import MemoryOutputs
from pyanamo_async.outputs.s3 import S3Outputs, open_bucket
from pyanamo_async.outputs.spool import Spool
from pyanamo_async.ports import Clock, OutputKey, OutputStore

if TYPE_CHECKING:
    from types_aiobotocore_logs import CloudWatchLogsClient
    from types_aiobotocore_s3 import S3Client


@dataclass(frozen=True, slots=True)
class Kept:
    """A store, and all that can be seen of it: files and folders, objects and uploads under way."""

    store: OutputStore
    traces: Callable[[], Awaitable[list[str]]]
    most_at_once: int = CHUNK_BYTES


def memory() -> Kept:
    """Keep in memory."""
    store = MemoryOutputs()

    async def traces() -> list[str]:
        return list(store.kept)

    return Kept(store, traces, most_at_once=sys.maxsize)


def files(folder: Path) -> Kept:
    """Keep in a folder that is not there yet."""

    async def traces() -> list[str]:
        return [str(path) for path in folder.rglob("*")]

    return Kept(FileOutputs(folder / "new" / "logs", "PyAnamo"), traces)


def s3(client: S3Client, bucket: str) -> Kept:
    """Keep in a bucket."""

    async def traces() -> list[str]:
        objects = await client.list_objects_v2(Bucket=bucket)
        uploads = await client.list_multipart_uploads(Bucket=bucket)
        return [thing["Key"] for thing in (*objects.get("Contents", []), *uploads.get("Uploads", []))]

    return Kept(S3Outputs(open_bucket(client, bucket), "Pyanamo/logs"), traces)


def logs(client: CloudWatchLogsClient, group: str, fallback: Kept, clock: Clock) -> Kept:
    """Keep in CloudWatch Logs or in its fallback; events that were sent cannot be taken back and are no trace."""
    store = CloudWatchOutputs(client, group, "worker", fallback=fallback.store, spool=Spool(64 << 20), clock=clock)
    return Kept(store, fallback.traces)


@asynccontextmanager
async def s3_client(endpoint: str, *, sendings: int = 2) -> AsyncIterator[S3Client]:
    """Talk to moto, as the program does."""
    async with _client("s3", endpoint, sendings) as client:
        yield client


@asynccontextmanager
async def logs_client(endpoint: str) -> AsyncIterator[CloudWatchLogsClient]:
    """Talk to moto, as the program does."""
    async with _client("logs", endpoint, 2) as client:
        yield client


@asynccontextmanager
async def _client(service: Any, endpoint: str, sendings: int) -> AsyncIterator[Any]:  # noqa: ANN401 # any service
    config = AioConfig(
        max_pool_connections=64,
        connect_timeout=3,
        read_timeout=10,
        retries={"mode": "standard", "total_max_attempts": sendings},
    )
    session = aioboto3.Session("test", "test", region_name="us-east-1")
    async with session.client(service, endpoint_url=endpoint, config=config) as client:
        yield client


async def write_all(store: OutputStore, key: OutputKey, chunks: Iterable[bytes]) -> str:
    """Write one output and return its location."""
    sink = store.open(key)
    try:
        for chunk in chunks:
            await sink.write(chunk)
        return await sink.close()
    finally:
        await sink.abort()


async def read_all(store: OutputStore, location: str, *, start: int = 0) -> bytes:
    """Read one output whole."""
    return b"".join([chunk async for chunk in store.read(location, start=start)])

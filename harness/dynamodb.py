"""A DynamoDB table for one test, fresh and dropped afterwards."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from functools import cache
from typing import TYPE_CHECKING

from pyanamo_async.store.dynamodb import DynamoStore

__all__ = ["DynamoStore", "dynamo_client", "dynamo_store"]

if TYPE_CHECKING:
    import aioboto3
    from types_aiobotocore_dynamodb.client import DynamoDBClient

SHARDS = 4


@asynccontextmanager
async def dynamo_client(endpoint: str) -> AsyncIterator[DynamoDBClient]:
    """A client that retries nothing, so that a test sees what the server said."""
    from aiobotocore.config import AioConfig

    config = AioConfig(retries={"mode": "standard", "total_max_attempts": 1}, max_pool_connections=64)
    async with _session().client("dynamodb", endpoint_url=endpoint, config=config) as client:
        yield client


@cache
def _session() -> aioboto3.Session:
    """One session for all tests of a process: it keeps the service's model, which takes long to read."""
    import aioboto3

    return aioboto3.Session(region_name="us-east-1", aws_access_key_id="test", aws_secret_access_key="test")


@asynccontextmanager
async def dynamo_store(endpoint: str, *, shards: int = SHARDS) -> AsyncIterator[DynamoStore]:
    """A created store on a table of its own."""
    async with AsyncExitStack() as stack:
        client = await stack.enter_async_context(dynamo_client(endpoint))
        table = f"table-{uuid.uuid4().hex}"
        store = DynamoStore(table, client)
        await store.create(shards=shards)
        try:
            yield store
        finally:
            await store.close()
            with suppress(client.exceptions.ResourceNotFoundException):  # the test may have dropped it
                await client.delete_table(TableName=table)

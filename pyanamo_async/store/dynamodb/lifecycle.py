"""Create, describe and delete the table; waits until it is what was asked for."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

from botocore.exceptions import ClientError

from pyanamo_async.aws.errors import translated
from pyanamo_async.errors import TableMissing, Unavailable
from pyanamo_async.ports import Description
from pyanamo_async.store.dynamodb import schema
from pyanamo_async.store.dynamodb.table import Table
from pyanamo_async.store.dynamodb.writes import Insert

READY_WITHIN_S = 300.0
LOOK_EVERY_S = 0.5


async def create(table: Table, shards: int, indexes: Sequence[Mapping[str, object]]) -> bool:
    """Create the table and wait until it is usable; False when it was there already.

    A table of our form that lacks its row is completed when it holds nothing: whoever created it did not finish.
    """
    made = await _create(table, indexes)
    schema.check(await _until_active(table))
    row = await table.get(schema.TABLE_ROW)
    if row is None and not made and await _holds_something(table):
        row = await table.get(schema.TABLE_ROW)  # what it holds may be that row, which another has just written
        schema.shards_of(row, table.name)
    if row is not None:
        schema.shards_of(row, table.name)
        return False
    [reply] = await table.send([Insert(schema.table_row(shards))])
    if isinstance(reply, Exception):
        raise reply
    return reply.met


async def describe(table: Table, shards: int) -> Description:
    """Describe the table."""
    return schema.description(await _described(table), shards)


async def drop(table: Table) -> None:
    """Delete the table and wait until it is gone."""
    await table.asking(table.client.delete_table(TableName=table.name))
    try:
        async for _ in _looks(table, "gone"):
            await _described(table)
    except TableMissing:
        return


async def _create(table: Table, indexes: Sequence[Mapping[str, object]]) -> bool:
    with translated(table.what):
        try:
            await table.client.create_table(**schema.creation(table.name, indexes))
        except ClientError as exc:
            if exc.response["Error"]["Code"] != "ResourceInUseException":
                raise
            return False
    return True


async def _until_active(table: Table) -> dict[str, Any]:
    described: dict[str, Any] = {}
    async for _ in _looks(table, "usable"):
        described = await _described(table)
        if schema.is_active(described):
            break
    return described


async def _looks(table: Table, aim: str) -> AsyncIterator[None]:
    """Pace the looks at a table that is becoming something; raises `Unavailable` when it takes too long."""
    loop = asyncio.get_running_loop()
    until = loop.time() + READY_WITHIN_S
    while loop.time() < until:
        yield
        await asyncio.sleep(LOOK_EVERY_S)
    raise Unavailable(f"{table.what} is not {aim} after {READY_WITHIN_S:g} s")


async def _described(table: Table) -> dict[str, Any]:
    answer: Any = await table.asking(table.client.describe_table(TableName=table.name))
    described: dict[str, Any] = answer["Table"]
    return described


async def _holds_something(table: Table) -> bool:
    return bool((await table.asking(table.client.scan(TableName=table.name, Limit=1)))["Items"])

"""Create, describe and delete the table, and wait until that is done."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

from botocore.exceptions import ClientError

from pyanamo_async.aws.errors import translated
from pyanamo_async.errors import TableMissing, Unavailable
from pyanamo_async.ports import Description, TableAdmin
from pyanamo_async.store.dynamodb import schema
from pyanamo_async.store.dynamodb.opening import OpenedTable
from pyanamo_async.store.dynamodb.rows import TABLE_ROW
from pyanamo_async.store.dynamodb.table import Table
from pyanamo_async.store.dynamodb.writes import Insert

READY_WITHIN_S = 300.0
POLL_S = 0.5


class DynamoAdmin(OpenedTable, TableAdmin):
    """Creates, describes and deletes a table."""

    async def create(self, *, shards: int, indexes: Sequence[Mapping[str, object]] = ()) -> bool:
        """Complete also an empty table of our schema without its table row: its creation was interrupted."""
        table = self._table
        made = await _create(table, indexes)
        schema.check(await _until_active(table))
        row = await table.get(TABLE_ROW)
        if row is None and not made and await _has_rows(table):
            row = await table.get(TABLE_ROW)  # another process may just have written that row
            schema.shards_of(row, table.name)
        if row is not None:
            schema.shards_of(row, table.name)
            return False
        [reply] = await table.send([Insert(schema.table_row(shards))])
        if isinstance(reply, Exception):
            raise reply
        return reply.met

    async def describe(self) -> Description:
        shards = await self._shards()
        return schema.description(await _described(self._table), shards)

    async def drop(self) -> None:
        await self._open()
        self._opened = None
        table = self._table
        await table.call(table.client.delete_table(TableName=table.name))
        try:
            async for _ in _polls(table, "deleted"):
                await _described(table)
        except TableMissing:
            return

    async def close(self) -> None:
        await self._table.close()


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
    async for _ in _polls(table, "usable"):
        described = await _described(table)
        if schema.is_active(described):
            break
    return described


async def _polls(table: Table, aim: str) -> AsyncIterator[None]:
    """Yield twice a second until the table is as wanted; raise `Unavailable` when that takes too long."""
    loop = asyncio.get_running_loop()
    until = loop.time() + READY_WITHIN_S
    while loop.time() < until:
        yield
        await asyncio.sleep(POLL_S)
    raise Unavailable(f"{table.what} is not {aim} after {READY_WITHIN_S:g} s")


async def _described(table: Table) -> dict[str, Any]:
    answer: Any = await table.call(table.client.describe_table(TableName=table.name))
    described: dict[str, Any] = answer["Table"]
    return described


async def _has_rows(table: Table) -> bool:
    return bool((await table.call(table.client.scan(TableName=table.name, Limit=1)))["Items"])

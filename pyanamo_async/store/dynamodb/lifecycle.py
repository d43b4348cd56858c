"""Create, describe and delete the table, and wait until that is done."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from typing import Any

from botocore.exceptions import ClientError

from pyanamo_async.aws.errors import translated
from pyanamo_async.errors import Denied, TableMissing, Unavailable
from pyanamo_async.ports import NO_OPTIONS, Creation, Description, Indexes, TableAdmin, TableOptions
from pyanamo_async.store.dynamodb import schema
from pyanamo_async.store.dynamodb.opening import OpenedTable
from pyanamo_async.store.dynamodb.rows import TABLE_ROW
from pyanamo_async.store.dynamodb.table import Table
from pyanamo_async.store.dynamodb.writes import Insert

READY_WITHIN_S = 300.0
POLL_S = 0.5


class DynamoAdmin(OpenedTable, TableAdmin):
    """Creates, describes and deletes a table."""

    async def create(self, *, shards: int, indexes: Indexes = (), options: TableOptions = NO_OPTIONS) -> Creation:
        """Complete also an empty table of our schema without its table row, as other tools make it.

        `CreateTable` is asked for only when there is no table: a role without that right is refused before anybody
        looks whether there is one.
        """
        table = self._table
        exists = await _exists(table)
        made = not exists and await _create(table, schema.creation(table.name, indexes, options))
        described = await _until_usable(table, may_be_unknown=not exists)
        schema.check(described)
        row = await table.get(TABLE_ROW)
        if row is None and not made and await _has_rows(table, described):
            row = await table.get(TABLE_ROW)  # another process may just have written that row
            schema.shards_of(row, table.name)
        if row is not None:
            schema.shards_of(row, table.name)
            return Creation.FOUND
        if options.point_in_time_recovery:
            await _keep_history(table)
        [reply] = await table.send([Insert(schema.table_row(shards))])
        if isinstance(reply, Exception):
            raise reply
        if not reply.met:
            return Creation.FOUND  # another process was faster
        return Creation.CREATED if made else Creation.COMPLETED

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


async def _exists(table: Table) -> bool:
    try:
        await _described(table)
    except TableMissing:
        return False
    return True


async def _create(table: Table, request: dict[str, Any]) -> bool:
    with translated(table.what):
        try:
            await table.client.create_table(**request)
        except ClientError as exc:
            if exc.response["Error"]["Code"] != "ResourceInUseException":
                raise
            return False
    return True


async def _until_usable(table: Table, *, may_be_unknown: bool) -> dict[str, Any]:
    """Wait for a table, which `may_be_unknown` for a while after its creation."""
    described: dict[str, Any] = {}
    async for _ in _polls(table, "usable"):
        try:
            described = await _described(table)
        except TableMissing:
            if not may_be_unknown:
                raise
        else:
            if schema.is_usable(described):
                break
    return described


async def _keep_history(table: Table) -> None:
    """Turn on recovery to any point in time, which a new table refuses for a while."""
    wanted: Any = {"PointInTimeRecoveryEnabled": True}
    async for _ in _polls(table, "ready for recovery to a point in time"):
        with translated(table.what):
            try:
                await table.client.update_continuous_backups(
                    TableName=table.name, PointInTimeRecoverySpecification=wanted
                )
            except ClientError as exc:
                if exc.response["Error"]["Code"] != "ContinuousBackupsUnavailableException":
                    raise
            else:
                return


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


async def _has_rows(table: Table, described: Mapping[str, Any]) -> bool:
    """Return whether a table has rows; who may not read it all takes the service's word, which is hours old."""
    try:
        return bool((await table.call(table.client.scan(TableName=table.name, Limit=1)))["Items"])
    except Denied:
        return bool(described.get("ItemCount"))

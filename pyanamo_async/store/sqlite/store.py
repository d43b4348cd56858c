"""The table in an SQLite file: its items and workers are the parts beside it; here it is created and removed.

Items are encoded on the event loop, where a failure concerns only its caller; the engine runs the SQL.
"""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from functools import partial
from pathlib import Path

from pyanamo_async.core.queue_lanes import TAKES_ALL
from pyanamo_async.core.stored.bad_rows import BadRows
from pyanamo_async.errors import BadRow, UsageError
from pyanamo_async.host.file_systems import network_file_system
from pyanamo_async.host.modes import PRIVATE
from pyanamo_async.ports import NO_OPTIONS, Creation, Description, Indexes, Store, TableOptions
from pyanamo_async.store.sqlite import schema
from pyanamo_async.store.sqlite.engine import Engine
from pyanamo_async.store.sqlite.fleet import SqliteWorkers
from pyanamo_async.store.sqlite.items import SqliteItems
from pyanamo_async.store.sqlite.reading import SqliteReader

BUSY_TIMEOUT = timedelta(seconds=5)
LAST_ATTEMPTS_AFTER = "SELECT Last_Attempts_After FROM description"
LEAVE_LAST_ATTEMPTS = "UPDATE description SET Last_Attempts_After = ?"


class SqliteStore(SqliteItems, SqliteReader, SqliteWorkers, Store):
    """A table in the file `path`, which several processes may open.

    A call waits up to `busy_timeout` for a lock that another process holds, then raises `Unavailable`. `token` returns
    the random tokens of claims. `umask` is what a new file does not permit, and `network` returns the kind of network
    file system that a path is on.
    """

    def __init__(
        self,
        path: str | Path,
        *,
        busy_timeout: timedelta = BUSY_TIMEOUT,
        token: Callable[[], str] = lambda: secrets.token_hex(8),
        umask: int = PRIVATE,
        network: Callable[[Path], str] = network_file_system,
    ) -> None:
        self.path = Path(path).absolute()
        self._busy_timeout = busy_timeout
        self._token = token
        self.bad_rows = BadRows()
        self.kind = TAKES_ALL
        self._creation = partial(schema.create_table, self.path, busy_timeout, umask=umask, network=network)
        self._engine = Engine(self.path, partial(schema.open_table, self.path, busy_timeout, network=network))

    async def create(self, *, shards: int, indexes: Indexes = (), options: TableOptions = NO_OPTIONS) -> Creation:  # noqa: ARG002 - of DynamoDB
        if indexes:
            raise UsageError("a table in an SQLite file takes no extra indexes", hint="leave `indexes` out")
        created = await self._engine.exclusive(partial(self._creation, shards=shards))
        return Creation.CREATED if created else Creation.FOUND

    async def describe(self) -> Description:
        return await self._engine.read(partial(schema.describe, path=self.path))

    async def last_attempts_after(self) -> int | None:
        rows = await self._engine.read(lambda connection: connection.execute(LAST_ATTEMPTS_AFTER).fetchall())
        return next((after for [after] in rows if isinstance(after, int) and after > 0), None)

    async def leave_last_attempts(self, after: int | None) -> None:
        await self._engine.write(lambda connection: connection.execute(LEAVE_LAST_ATTEMPTS, (after,)))

    async def unreadable(self) -> AsyncIterator[BadRow]:
        async for bad in self.bad_items():
            yield bad
        for bad in await self.bad_workers():
            yield bad

    async def drop(self) -> None:
        await self._engine.exclusive(partial(schema.drop_table, self.path, self._busy_timeout))

    async def close(self) -> None:
        await self._engine.close()

"""Every store in turn, fresh and created, behind one fixture.

`tests.contract.dynamo` brings the DynamoDB ones: `dynamo_store()` and, for a second client of its table,
`dynamo_twin(store)`, both async context managers.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import pytest

from pyanamo_async.ports import Store
from pyanamo_async.store.memory import MemoryStore
from pyanamo_async.store.sqlite import SqliteStore


@pytest.fixture(params=["memory", "sqlite", "dynamodb"])
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Store]:
    """Each store in turn."""
    fresh: dict[str, Callable[[], AbstractAsyncContextManager[Store]]] = {
        "memory": lambda: _open(MemoryStore(), create=True),
        "sqlite": lambda: _open(SqliteStore(tmp_path / "table.db"), create=True),
        "dynamodb": lambda: _dynamo(request),
    }
    async with fresh[request.param]() as each:
        yield each


@pytest.fixture(params=["sqlite", "dynamodb"])
async def twins(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[tuple[Store, Store]]:
    """Two stores of one table, as two processes have them."""
    if request.param == "sqlite":
        path = tmp_path / "table.db"
        async with _open(SqliteStore(path), create=True) as one, _open(SqliteStore(path)) as other:
            yield one, other
        return
    async with _dynamo(request) as one:
        from tests.contract.dynamo import dynamo_twin

        async with dynamo_twin(one) as other:
            yield one, other


def _dynamo(request: pytest.FixtureRequest) -> AbstractAsyncContextManager[Store]:
    request.getfixturevalue("dynamodb_endpoint")  # skips, with the reason, where DynamoDB Local cannot run
    from tests.contract.dynamo import dynamo_store

    return dynamo_store()


@asynccontextmanager
async def _open(store: Store, *, create: bool = False) -> AsyncIterator[Store]:
    try:
        if create:
            await store.create(shards=4)
        yield store
    finally:
        await store.close()

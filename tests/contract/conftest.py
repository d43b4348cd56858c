"""Every store in turn, fresh and created, behind one fixture.

DynamoDB is imported only where it is asked for: the others are tested in a moment.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import TypeVar

import pytest

from pyanamo_async.core.queue_lanes import WorkerKind
from pyanamo_async.ports import Store
from pyanamo_async.store.memory import MemoryStore
from pyanamo_async.store.sqlite import SqliteStore

S = TypeVar("S", bound=Store)


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
    async with _twins(request, tmp_path) as pair:
        yield pair


@pytest.fixture(params=["memory", "sqlite", "dynamodb"])
async def sizes(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[tuple[Store, Store]]:
    """Two stores of one table: of a worker that takes memory classes up to 16 GiB alone, and of one that takes all."""
    async with _twins(request, tmp_path) as (small, large):
        small.kind = WorkerKind(largest_class=16, last_attempts=False)
        yield small, large


@asynccontextmanager
async def _twins(request: pytest.FixtureRequest, folder: Path) -> AsyncIterator[tuple[Store, Store]]:
    if request.param == "memory":
        async with _open(MemoryStore(), create=True) as remembered:
            yield remembered, remembered.another()
        return
    if request.param == "sqlite":
        path = folder / "table.db"
        async with _open(SqliteStore(path), create=True) as first, _open(SqliteStore(path)) as second:
            yield first, second
        return
    from harness.dynamodb import DynamoStore, dynamo_client, dynamo_store

    endpoint = request.getfixturevalue("dynamodb_endpoint")
    async with (
        dynamo_store(endpoint) as one,
        dynamo_client(endpoint) as client,
        _open(DynamoStore((await one.describe()).table, client)) as other,
    ):
        yield one, other


def _dynamo(request: pytest.FixtureRequest) -> AbstractAsyncContextManager[Store]:
    endpoint = request.getfixturevalue("dynamodb_endpoint")  # skips, and says why, where DynamoDB Local cannot run
    from harness.dynamodb import dynamo_store

    return dynamo_store(endpoint)


@asynccontextmanager
async def _open(store: S, *, create: bool = False) -> AsyncIterator[S]:
    try:
        if create:
            await store.create(shards=4)
        yield store
    finally:
        await store.close()

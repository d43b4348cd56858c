"""Create and delete tables."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import orjson
from msgspec import to_builtins

from pyanamo_async.core.text.plural import plural
from pyanamo_async.errors import UsageError
from pyanamo_async.fleet.membership import WorkerStatus, living
from pyanamo_async.ports import Creation, Store, TableAdmin, TableOptions

DEFAULT_SHARDS, MAX_SHARDS = 16, 999


def check_creation(name: str, shards: int | None, options: TableOptions) -> None:
    """Check what a table outside DynamoDB is to be created with.

    Raises:
        UsageError: something that only DynamoDB has.
    """
    given = {"shards": shards is not None, **to_builtins(options)}
    for argument in filter(given.get, given):
        raise UsageError(f"`{argument}` has no effect on table {name}", hint="it is for DynamoDB tables only")


async def create(
    store: TableAdmin,
    *,
    shards: int | None,
    indexes: Path | Sequence[Mapping[str, object]],
    options: TableOptions,
) -> Creation:
    """Create a table; return what there was to do.

    Raises:
        UsageError: the number of shards is out of range, or the file holds no indexes.
    """
    if shards is not None and not 1 <= shards <= MAX_SHARDS:
        raise UsageError(f"`shards` is {shards}", hint=f"give 1 to {MAX_SHARDS}")
    return await store.create(
        shards=DEFAULT_SHARDS if shards is None else shards,
        indexes=read_indexes(indexes) if isinstance(indexes, Path) else indexes,
        options=options,
    )


async def drop(store: Store, name: str, workers: Iterable[WorkerStatus]) -> int:
    """Delete a table with all its items; return how many items it had.

    Raises:
        UsageError: some of the workers are alive.
    """
    items, busy = (await store.counts()).total, len(living(workers))
    if busy:
        raise UsageError(
            f"{plural(busy, 'worker')} may still work on table {name} with {plural(items, 'item')}",
            hint="`pyanamo workers` lists them; drain them first, or delete the table anyway with `force`",
        )
    await store.drop()
    return items


def read_indexes(path: Path) -> list[Mapping[str, object]]:
    """Read indexes from a JSON file: a list like DynamoDB's `GlobalSecondaryIndexes`, or an object that has it.

    Raises:
        UsageError: the file cannot be read, or holds something else.
    """
    hint = "give a JSON list of DynamoDB's GlobalSecondaryIndexes, each with IndexName, KeySchema and Projection"
    try:
        content = orjson.loads(path.read_bytes())
    except OSError as error:
        raise UsageError(f"`indexes` cannot be read from {path}: {error.strerror}", hint=hint) from error
    except orjson.JSONDecodeError as error:
        raise UsageError(f"`indexes` {path} is not JSON: {error}", hint=hint) from error
    indexes = content.get("GlobalSecondaryIndexes") if isinstance(content, dict) else content
    if not isinstance(indexes, list) or not all(isinstance(each, dict) and "IndexName" in each for each in indexes):
        raise UsageError(f"`indexes` {path} holds no indexes", hint=hint)
    return indexes

"""Look at and make tables."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import orjson

from pyanamo_async.core.items import Counts
from pyanamo_async.errors import UsageError
from pyanamo_async.ports import Description, Store


async def describe(store: Store) -> tuple[Description, Counts]:
    """Describe a table and count what is in it."""
    return await store.describe(), await store.counts()


def read_indexes(path: Path) -> list[Mapping[str, object]]:
    """Read further indexes from a JSON file: a list like DynamoDB's `GlobalSecondaryIndexes`, or an object with it.

    Raises:
        UsageError: the file cannot be read, or holds something else.
    """
    hint = "a JSON list of DynamoDB's GlobalSecondaryIndexes, each with IndexName, KeySchema and Projection"
    try:
        content = orjson.loads(path.read_bytes())
    except OSError as error:
        raise UsageError(f"--indexes cannot read {path}: {error.strerror}", hint=hint) from error
    except orjson.JSONDecodeError as error:
        raise UsageError(f"--indexes {path} is not JSON: {error}", hint=hint) from error
    indexes = content.get("GlobalSecondaryIndexes") if isinstance(content, dict) else content
    if not isinstance(indexes, list) or not all(isinstance(each, dict) and "IndexName" in each for each in indexes):
        raise UsageError(f"--indexes {path} holds no indexes", hint=hint)
    return indexes

"""The table on DynamoDB.

Pure: `codec` (typed values), `writes` (conditional writes in both languages), `rows` (items and their place in the
index), `schema`, `board` (what was seen). Moving: `table` (the thin client), `batcher`, `pace`, `claiming`, `adding`,
`reading`, `fleet` (workers), and `store`, which puts them together.
"""

from __future__ import annotations

from pyanamo_async.store.dynamodb.store import DynamoStore

__all__ = ["DynamoStore"]

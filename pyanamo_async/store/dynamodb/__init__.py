"""The table on DynamoDB.

Pure: `codec` (typed values), `writes` (conditional writes in both languages), `rows` (items and their place in the
index), `schema`, `candidate_cache` (what was seen of the index). With a client: `table` (requests, with `batcher`),
`claimer`, `adder`, `opening`, and on it the ports: `lifecycle` (TableAdmin), `reading` (ItemReader), `fleet`
(WorkerRegistry), `output_tails`, `notifications`, and `store`, which adds ItemQueue and puts them together.
"""

from __future__ import annotations

from pyanamo_async.store.dynamodb.store import DynamoStore

__all__ = ["DynamoStore"]

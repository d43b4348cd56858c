"""What DynamoDB allows, charges and takes, as published; each with its source.

Sources, all of docs.aws.amazon.com/amazondynamodb/latest/developerguide/ unless said otherwise.
"""

from __future__ import annotations

PARTITION_WRITES = 1000.0  # write units a second of one partition, table or index: bp-partition-key-design.html
PARTITION_READS = 3000.0  # read units a second, as above
BURST_S = 300.0  # of what a partition left unused, for later: burst-adaptive-capacity.html; "might change"
NEW_TABLE_WRITES = 4000.0  # a second, on demand, and of each index: on-demand-capacity-mode.html, "Initial throughput"
DOUBLING_S = 1800.0  # throttled above twice the previous peak within 30 minutes: as above
TABLE_QUOTA = 40_000.0  # write units a second of a table until one asks for more: ServiceQuotas.html

WRITE_UNIT_BYTES = (
    1024  # of a row, the larger of before and after; each index row for itself: read-write-operations.html
)
READ_UNIT_BYTES = 4096  # half a unit for each started 4 KB of an eventually consistent query: as above
PAGE_BYTES = 1 << 20  # a query reads at most: Query.Pagination.html

USD_PER_WRITE = 0.625e-6  # us-east-1, on demand, Standard class, since 2024-11-01, when AWS halved it;
USD_PER_READ = 0.125e-6  # airbyte.com/data-engineering-resources/dynamodb-pricing, 2025-07-21; looked up 2026-11-23

LATENCY_S = 0.005  # "single-digit millisecond": on-demand-capacity-mode.html; a lognormal tail around it is ours
INDEX_LAG_S = 0.02  # "within a fraction of a second": GSI.html; the mean of an exponential, ours

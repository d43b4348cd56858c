"""What a table of ours looks like: how to create it, check it and describe it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pyanamo_async.errors import SchemaMismatch
from pyanamo_async.ports import NO_OPTIONS, Description, Index, TableOptions
from pyanamo_async.store.dynamodb.rows import PROJECTED, QUEUE_INDEX, TABLE_ROW
from pyanamo_async.store.dynamodb.writes import KEY

SCHEMA_VERSION = 4
SHARDS = range(1, 1000)
NOTIFICATIONS = "Notifications"  # in that row: changes whenever items come that workers may wait for
USABLE = {"ACTIVE", "UPDATING"}
NOT_ASKED_FOR = {"ProvisionedThroughput", "IndexStatus", "IndexArn", "IndexSizeBytes", "ItemCount", "Backfilling"}
AWS_MANAGED_KEY = "alias/aws/dynamodb"  # must not be named in a request
NUMBERS = frozenset(
    {
        "Log_Length",
        "Nested_Tasks",
        "Attempt",
        "Attempts",
        "Failures",
        "Crashes",
        "Interruptions",
        "Wall_Time_Kills",
        "Seconds_Lost",
        "Seconds_Saved",
        "Checkpoint_From",
        "Args_At",
        "Priority",
        "MaxFailures",
        "Timeout",
        "Memory",
        "Cpus",
        "Memory_Need",
        "OOM_Kills",
        "Memory_Class",
        "Evictions",
        "Last_Attempts",
    }
)


def creation(
    table: str, extra_indexes: Sequence[Mapping[str, Any]] = (), options: TableOptions = NO_OPTIONS
) -> dict[str, Any]:
    """Return the request that creates a table; `extra_indexes` are in DynamoDB's own form.

    What is not to be asked for is left out of them: the throughput of a provisioned table, and what a description adds.
    """
    ours = {
        "IndexName": QUEUE_INDEX,
        "KeySchema": _key("Queue", "Queue_Key"),
        "Projection": {"ProjectionType": "INCLUDE", "NonKeyAttributes": list(PROJECTED)},
    }
    extra = [{name: value for name, value in index.items() if name not in NOT_ASKED_FOR} for index in extra_indexes]
    indexes = [ours, *extra]
    keys = {KEY} | {key["AttributeName"] for index in indexes for key in index.get("KeySchema", ())}
    return {
        "TableName": table,
        "KeySchema": _key(KEY),
        "AttributeDefinitions": [
            {"AttributeName": name, "AttributeType": "N" if name in NUMBERS else "S"} for name in sorted(keys)
        ],
        "GlobalSecondaryIndexes": indexes,
        "BillingMode": "PAY_PER_REQUEST",
        **_asked_for(options),
    }


def _asked_for(options: TableOptions) -> dict[str, Any]:
    asked: dict[str, Any] = {}
    if options.tags:
        asked["Tags"] = [{"Key": key, "Value": value} for key, value in options.tags]
    if options.kms_key:
        key = {} if options.kms_key == AWS_MANAGED_KEY else {"KMSMasterKeyId": options.kms_key}
        asked["SSESpecification"] = {"Enabled": True, "SSEType": "KMS", **key}
    if options.deletion_protection:
        asked["DeletionProtectionEnabled"] = True
    return asked


def table_row(shards: int) -> dict[str, object]:
    """Return the row that pins the number of shards and the schema version."""
    return {KEY: TABLE_ROW, "Shards": shards, "Schema_Version": SCHEMA_VERSION}


def shards_of(row: Mapping[str, Any] | None, table: str) -> int:
    """Return the number of shards that the table row pins.

    Raises:
        SchemaMismatch: there is no such row, or it has another schema version.
    """
    if not row:
        raise SchemaMismatch(f"table '{table}' is not one of ours: it has no row '{TABLE_ROW}'", hint=_ANOTHER)
    version = row.get("Schema_Version")
    if version != SCHEMA_VERSION:
        hint = _IMPORT_AGAIN if isinstance(version, int) and version < SCHEMA_VERSION else _UPDATE
        raise SchemaMismatch(
            f"table '{table}' has schema version {version}; this pyanamo uses {SCHEMA_VERSION}", hint=hint
        )
    shards = row.get("Shards")
    if not isinstance(shards, int) or shards not in SHARDS:
        raise SchemaMismatch(f"table '{table}' has {shards!r} shards", hint=_ANOTHER)
    return shards


def check(described: Mapping[str, Any]) -> None:
    """Check that a table has our key and our index.

    Raises:
        SchemaMismatch: it has not.
    """
    table = described["TableName"]
    if _names(described) != (KEY,):
        raise SchemaMismatch(f"table '{table}' has the key {', '.join(_names(described))}, not {KEY}", hint=_ANOTHER)
    for index in described.get("GlobalSecondaryIndexes", ()):
        if index["IndexName"] == QUEUE_INDEX:
            projection = index["Projection"]
            lacking = set(PROJECTED) - set(projection.get("NonKeyAttributes", ()))
            if _names(index) == ("Queue", "Queue_Key") and (projection["ProjectionType"] == "ALL" or not lacking):
                return
    raise SchemaMismatch(f"table '{table}' has no index {QUEUE_INDEX} like ours", hint=_ANOTHER)


def is_usable(described: Mapping[str, Any]) -> bool:
    """Return whether a table and our index take requests: also while they are changed, or another index is built."""
    indexes = described.get("GlobalSecondaryIndexes", ())
    ours = [index["IndexStatus"] for index in indexes if index["IndexName"] == QUEUE_INDEX]
    return described["TableStatus"] in USABLE and all(status in USABLE for status in ours)


def description(described: Mapping[str, Any], shards: int) -> Description:
    """Describe a table in our words."""
    billing = described.get("BillingModeSummary", {}).get("BillingMode", "PROVISIONED")
    return Description(
        table=described["TableName"],
        output_namespace=described["TableName"],
        keys=_names(described),
        indexes=tuple(
            Index(index["IndexName"], _names(index), _projection(index["Projection"]))
            for index in sorted(described.get("GlobalSecondaryIndexes", ()), key=lambda index: str(index["IndexName"]))
        ),
        shards=shards,
        schema_version=SCHEMA_VERSION,
        billing="on demand" if billing == "PAY_PER_REQUEST" else "provisioned",
        status=described["TableStatus"],
        size_bytes=described.get("TableSizeBytes"),
        created=described.get("CreationDateTime"),
        extra_indexes=tuple(
            {name: index[name] for name in ("IndexName", "KeySchema", "Projection")}
            for index in described.get("GlobalSecondaryIndexes", ())
            if index["IndexName"] != QUEUE_INDEX
        ),
    )


_ANOTHER = "use another table name; `pyanamo table create` makes one"
_IMPORT_AGAIN = "an older pyanamo created it: create a table of another name, import the items there, delete this one"
_UPDATE = "update pyanamo to the version that created it, or use another table name"


def _key(*names: str) -> list[dict[str, str]]:
    kinds = ("HASH", "RANGE")
    return [{"AttributeName": name, "KeyType": kind} for name, kind in zip(names, kinds, strict=False)]


def _names(keyed: Mapping[str, Any]) -> tuple[str, ...]:
    ordered = sorted(keyed["KeySchema"], key=lambda key: str(key["KeyType"]))  # HASH before RANGE
    return tuple(key["AttributeName"] for key in ordered)


def _projection(projection: Mapping[str, Any]) -> str:
    names = ", ".join(projection.get("NonKeyAttributes", ()))
    return names or str(projection["ProjectionType"])

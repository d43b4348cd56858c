"""How a DynamoDB table is found, created and completed on AWS itself: test servers know no rights and no delay.

`Service` answers like AWS where this matters: `CreateTable` is authorised before anybody looks whether there is a
table, one just created may be unknown for a while, and on demand it takes no `ProvisionedThroughput`.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from botocore.exceptions import ClientError

from harness.dynamodb import dynamo_client
from pyanamo_async.errors import Denied, SchemaMismatch, StoreError, TableMissing
from pyanamo_async.ports import Creation, TableOptions
from pyanamo_async.store.dynamodb import DynamoStore, lifecycle, schema

Row = dict[str, Any]
IMPORTER = {"describe_table", "get_item", "batch_get_item", "query", "put_item"}  # of the rights of the guide
CREATOR = IMPORTER | {"create_table", "scan", "update_continuous_backups"}
EVERYTHING = CREATOR | {"delete_table"}
THEIR_INDEX = {
    "IndexName": "ItemStateIndex",
    "KeySchema": [{"AttributeName": "ItemState", "KeyType": "HASH"}],
    "Projection": {"ProjectionType": "ALL"},
    "ProvisionedThroughput": {"ReadCapacityUnits": 5, "WriteCapacityUnits": 5},
}


@dataclass
class Service:
    """One table, or none, and who asks: `rights` are the operations that the role may use."""

    rights: set[str] = field(default_factory=lambda: EVERYTHING)
    table: Row | None = None
    rows: dict[str, Row] = field(default_factory=dict)
    unknown: int = 0  # so many descriptions of a new table find none
    creating: int = 1  # so many more show it as being created
    deleted_after: int = 1000  # so many descriptions
    without_backups: int = 0  # so many requests come too early for backups
    requests: list[tuple[str, Row]] = field(default_factory=list)

    def __getattr__(self, operation: str) -> Callable[..., Any]:
        async def ask(**asked: Any) -> Row:  # noqa: ANN401 # whatever botocore has
            self.requests.append((operation, asked))
            if operation not in self.rights:
                raise refused("AccessDeniedException", f"is not authorized to perform: dynamodb:{operation}")
            answer: Row = getattr(self, f"on_{operation}")(**asked) | {"ResponseMetadata": {}}
            return answer

        return ask

    @property
    def operations(self) -> list[str]:
        return [name for name, _ in self.requests]

    def asked(self, operation: str) -> Row:
        [found] = [asked for name, asked in self.requests if name == operation]
        return found

    def on_create_table(self, **request: Any) -> Row:  # noqa: ANN401 # as above
        if self.table:
            raise refused("ResourceInUseException", "Table already exists")
        if any("ProvisionedThroughput" in index for index in request["GlobalSecondaryIndexes"]):
            raise refused("ValidationException", "ProvisionedThroughput should not be specified for index")
        self.table = described(request)
        return {}

    def on_describe_table(self, TableName: str) -> Row:  # noqa: N803 # as botocore has it
        created = "create_table" in self.operations
        if self.operations.count("describe_table") > self.deleted_after:
            self.table = None
        if self.table is None or (created and self.unknown > 0):
            self.unknown -= created
            raise refused("ResourceNotFoundException", f"Requested resource not found: Table: {TableName} not found")
        self.creating -= created
        return {"Table": self.table | ({"TableStatus": "CREATING"} if created and self.creating >= 0 else {})}

    def on_get_item(self, Key: Row, **_: object) -> Row:  # noqa: N803
        row = self.rows.get(Key["itemID"]["S"])
        return {"Item": row} if row else {}

    def on_scan(self, **_: object) -> Row:
        return {"Items": list(self.rows.values())[:1]}

    def on_put_item(self, Item: Row, **_: object) -> Row:  # noqa: N803
        assert self.table, "there is no table to write to"
        self.rows[Item["itemID"]["S"]] = Item
        return {}

    def on_update_continuous_backups(self, **_: object) -> Row:
        self.without_backups -= 1
        if self.without_backups >= 0:
            raise refused("ContinuousBackupsUnavailableException", "Backups are being enabled for the table")
        return {}


def refused(code: str, message: str) -> ClientError:
    response: Any = {"Error": {"Code": code, "Message": message}, "ResponseMetadata": {}}
    return ClientError(response, "SomeOperation")


def described(request: Row, **status: str) -> Row:
    """Describe a table as the service does once it is created."""
    indexes = [index | {"IndexStatus": "ACTIVE"} for index in request["GlobalSecondaryIndexes"]]
    return request | {"TableStatus": "ACTIVE", "ItemCount": 0, "GlobalSecondaryIndexes": indexes} | status


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look again at once."""
    monkeypatch.setattr(lifecycle, "POLL_S", 0.001)


def store_of(service: Service) -> DynamoStore:
    return DynamoStore("step", service)  # type: ignore[arg-type] # as much of a client as is used


async def test_a_table_that_exists_needs_no_right_to_create_one() -> None:
    """An importer with the rights of the guide uses the table that is there, and gives it a row where it lacks one."""
    service = Service(rights=IMPORTER, table=described(schema.creation("step")))

    assert await store_of(service).create(shards=7) is Creation.COMPLETED
    assert await store_of(service).create(shards=16) is Creation.FOUND
    assert "create_table" not in service.operations
    assert service.rows["#table"]["Shards"] == {"N": "7"}


async def test_a_missing_table_needs_the_right_to_create_it() -> None:
    """The error names what is missing, and nothing is written."""
    service = Service(rights=IMPORTER)

    with pytest.raises(Denied, match="create_table"):
        await store_of(service).create(shards=4)
    assert not service.rows


async def test_a_table_just_created_may_be_unknown() -> None:
    """It is waited for, also when another process created it at the same moment."""
    service = Service(unknown=3, creating=2)

    assert await store_of(service).create(shards=4) is Creation.CREATED
    assert service.operations.count("describe_table") == 1 + 3 + 3


async def test_a_table_that_vanishes_is_not_waited_for() -> None:
    """One that was there and is gone was deleted."""
    service = Service(table=described(schema.creation("step")) | {"TableStatus": "DELETING"})
    service.deleted_after = 3
    with pytest.raises(TableMissing):
        await store_of(service).create(shards=4)


@pytest.mark.parametrize("status", ["ACTIVE", "UPDATING"])
@pytest.mark.parametrize("ours", ["ACTIVE", "UPDATING"])
@pytest.mark.parametrize("other", ["ACTIVE", "CREATING", "DELETING"])
async def test_a_table_that_is_changed_is_used(status: str, ours: str, other: str) -> None:
    """Only our own index must be there; somebody may build another one, for hours, or change the table's capacity."""
    table = described(schema.creation("step", [THEIR_INDEX]), TableStatus=status)
    for index, now in zip(table["GlobalSecondaryIndexes"], (ours, other), strict=True):
        index["IndexStatus"] = now
    service = Service(rights=IMPORTER, table=table)

    assert await store_of(service).create(shards=4) is Creation.COMPLETED


async def test_an_index_of_ours_that_is_being_built_is_waited_for() -> None:
    """Queries of it would be refused."""
    table = described(schema.creation("step"), TableStatus="UPDATING")
    table["GlobalSecondaryIndexes"][0]["IndexStatus"] = "CREATING"
    assert not schema.is_usable(table)


async def test_a_table_with_rows_of_others_is_refused() -> None:
    """Whoever may not read it all takes the number of its items for it."""
    for rights, count in ((EVERYTHING, 0), (IMPORTER, 3)):
        table = described(schema.creation("step")) | {"ItemCount": count}
        service = Service(rights=rights, table=table, rows={"theirs": {"itemID": {"S": "theirs"}}})
        with pytest.raises(SchemaMismatch, match="no row '#table'"):
            await store_of(service).create(shards=4)
        assert list(service.rows) == ["theirs"]


async def test_throughput_of_an_index_file_is_not_asked_for() -> None:
    """The original's file has it, and so has the description of a provisioned table; on demand AWS refuses it."""
    told = {"IndexStatus": "ACTIVE", "IndexArn": "arn", "IndexSizeBytes": 0, "ItemCount": 0}
    service = Service()

    assert await store_of(service).create(shards=4, indexes=[THEIR_INDEX | told]) is Creation.CREATED
    [_, theirs] = service.asked("create_table")["GlobalSecondaryIndexes"]
    assert theirs == {name: THEIR_INDEX[name] for name in ("IndexName", "KeySchema", "Projection")}


async def test_a_table_gets_what_was_asked_for() -> None:
    """Tags, key and protection with the table; recovery as soon as the service is ready for it."""
    service = Service(without_backups=2)
    options = TableOptions((("project", "genomes"),), "alias/ours", True, True)

    assert await store_of(service).create(shards=4, options=options) is Creation.CREATED

    asked = service.asked("create_table")
    assert asked["Tags"] == [{"Key": "project", "Value": "genomes"}]
    assert asked["SSESpecification"] == {"Enabled": True, "SSEType": "KMS", "KMSMasterKeyId": "alias/ours"}
    assert asked["DeletionProtectionEnabled"] is True
    assert service.operations.count("update_continuous_backups") == 3
    assert service.operations.index("update_continuous_backups") < service.operations.index("put_item")


async def test_nothing_is_asked_for_unasked() -> None:
    """A role needs no rights for tags, keys or backups that nobody wants."""
    service = Service()
    await store_of(service).create(shards=4)

    assert not {"Tags", "SSESpecification", "DeletionProtectionEnabled"} & service.asked("create_table").keys()
    assert "update_continuous_backups" not in service.operations


def test_the_key_of_aws_itself_is_not_named() -> None:
    """DynamoDB refuses its alias in a request."""
    asked = schema.creation("step", options=TableOptions(kms_key="alias/aws/dynamodb"))
    assert asked["SSESpecification"] == {"Enabled": True, "SSEType": "KMS"}


async def test_a_service_takes_all_that_can_be_asked_for(moto_endpoint: str) -> None:
    """The names are those of the API, and the table is one that can be worked with."""
    name = f"table-{uuid.uuid4().hex}"
    options = TableOptions((("project", "genomes"),), "alias/ours", True, True)
    async with dynamo_client(moto_endpoint) as client:
        store = DynamoStore(name, client)
        assert await store.create(shards=4, indexes=[THEIR_INDEX], options=options) is Creation.CREATED
        assert await store.create(shards=4) is Creation.FOUND

        table = (await client.describe_table(TableName=name))["Table"]
        tags = await client.list_tags_of_resource(ResourceArn=table["TableArn"])
        backups = await client.describe_continuous_backups(TableName=name)
        with pytest.raises(StoreError, match="Deletion"):
            await store.drop()

        assert tags["Tags"] == [{"Key": "project", "Value": "genomes"}]
        assert table["DeletionProtectionEnabled"]
        recovery = backups["ContinuousBackupsDescription"]["PointInTimeRecoveryDescription"]
        assert recovery["PointInTimeRecoveryStatus"] == "ENABLED"
        assert (await store.describe()).shards == 4
        await client.update_table(TableName=name, DeletionProtectionEnabled=False)
        await store.drop()
        await store.close()

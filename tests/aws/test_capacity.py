"""The capacity of a DynamoDB table as AWS has it: against moto, each request checked by botocore's own model."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
from botocore.validate import ParamValidator

from harness.servers.clients import client
from pyanamo_async.aws.capacity import DynamoCapacity
from pyanamo_async.aws.session import Aws
from pyanamo_async.aws.table_template import table_template
from pyanamo_async.core.text.yaml import to_yaml
from pyanamo_async.ports import Operation, ScalingPolicy, Throughput
from pyanamo_async.ports.capacity import TABLE
from pyanamo_async.store.dynamodb import schema

THEIRS = {
    "IndexName": "ItemStateIndex",
    "KeySchema": [{"AttributeName": "ItemState", "KeyType": "HASH"}],
    "Projection": {"ProjectionType": "ALL"},
}
POLICY = ScalingPolicy(
    "step_Write_Capacity_Scaling", TABLE, Operation.WRITE, 1, 70, 40.0, timedelta(seconds=60), timedelta(seconds=30)
)


@pytest.fixture
async def capacity(
    table: str, moto_endpoint: str, aws_env: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[DynamoCapacity]:
    """A table with an index of ours and one of somebody else's, on demand."""
    for name, value in (aws_env | {"AWS_ENDPOINT_URL_DYNAMODB": moto_endpoint}).items():
        monkeypatch.setenv(name, value)
    client("dynamodb", moto_endpoint).create_table(**schema.creation(table, [THEIRS]))
    async with Aws() as aws:
        dynamodb: Any = await aws.dynamodb()
        dynamodb.meta.events.register("provide-client-params.dynamodb", _check)
        yield DynamoCapacity(table, aws)


def _check(params: dict[str, Any], model: Any, **_: object) -> None:  # noqa: ANN401 # of botocore
    report = ParamValidator().validate(params, model.input_shape)
    assert not report.has_errors(), report.generate_report()


async def test_the_table_comes_first_then_its_indexes(capacity: DynamoCapacity) -> None:
    """Each with what it takes at once, as a new table on demand does."""
    seen = await capacity.describe()

    assert (seen.on_demand, seen.is_changing) == (True, False)
    assert [each.index for each in seen.parts] == ["", "ItemStateIndex", "QueueIndex"]
    assert {each.warm for each in seen.parts} == {Throughput(12_000, 4_000)}


async def test_changes_arrive_at_the_table_and_at_each_index(capacity: DynamoCapacity) -> None:
    """What is provisioned, what is warm, and how it is billed."""
    names = [each.index for each in (await capacity.describe()).parts]

    await capacity.change(on_demand=False, provisioned=dict.fromkeys(names, Throughput(5, 6)))
    provisioned = await capacity.describe()
    await capacity.change(warm=dict.fromkeys(names, Throughput(15_000, 20_000)))
    warm = await capacity.describe()
    await capacity.change(on_demand=True)

    assert provisioned.on_demand is False
    assert {each.provisioned for each in provisioned.parts} == {Throughput(5, 6)}
    assert {each.warm for each in warm.parts} == {Throughput(15_000, 20_000)}
    assert (await capacity.describe()).on_demand is True


async def test_a_policy_is_read_as_it_was_registered(capacity: DynamoCapacity) -> None:
    """Of the table and of an index, apart; one of the same name is overwritten."""
    of_index = ScalingPolicy("other", "QueueIndex", Operation.READ, 2, 9, 50.0, timedelta(), timedelta(seconds=1))

    assert await capacity.scaling() == []
    await capacity.scale(POLICY)
    await capacity.scale(of_index)
    await capacity.scale(POLICY)

    assert await capacity.scaling() == [POLICY, of_index]


async def test_a_template_makes_the_same_table(capacity: DynamoCapacity, table: str, moto_endpoint: str) -> None:
    """CloudFormation creates from it what it was exported from."""
    dynamodb, formation = client("dynamodb", moto_endpoint), client("cloudformation", moto_endpoint)
    arn = dynamodb.describe_table(TableName=table)["Table"]["TableArn"]
    dynamodb.tag_resource(ResourceArn=arn, Tags=[{"Key": "project", "Value": "no"}])
    dynamodb.update_continuous_backups(
        TableName=table, PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": True}
    )
    exported = await capacity.template()
    dynamodb.delete_table(TableName=table)

    formation.create_stack(StackName=table, TemplateBody=to_yaml(exported))

    properties = exported["Resources"]["Table"]["Properties"]
    assert properties["Tags"] == [{"Key": "project", "Value": "no"}]
    assert properties["PointInTimeRecoverySpecification"]["PointInTimeRecoveryEnabled"] is True
    made = dynamodb.describe_table(TableName=table)["Table"]
    schema.check(made)
    again = table_template(made, properties["Tags"], {})["Resources"]["Table"]["Properties"]
    assert again == {name: value for name, value in properties.items() if name != "PointInTimeRecoverySpecification"}


def test_a_template_names_what_the_table_was_given() -> None:
    """Units only where they are provisioned; the key, the class, and no tag of AWS's own."""
    described = schema.creation("step") | {
        "BillingModeSummary": {"BillingMode": "PROVISIONED"},
        "ProvisionedThroughput": {"ReadCapacityUnits": 1, "WriteCapacityUnits": 2, "NumberOfDecreasesToday": 0},
        "SSEDescription": {"Status": "ENABLED", "SSEType": "KMS", "KMSMasterKeyArn": "arn:key"},
        "TableClassSummary": {"TableClass": "STANDARD_INFREQUENT_ACCESS"},
        "DeletionProtectionEnabled": True,
    }
    for index in described["GlobalSecondaryIndexes"]:
        index["ProvisionedThroughput"] = {"ReadCapacityUnits": 3, "WriteCapacityUnits": 4}
    tags = [{"Key": "aws:cloudformation:stack-name", "Value": "s"}]

    made = table_template(described, tags, {"PointInTimeRecoveryStatus": "ENABLED", "RecoveryPeriodInDays": 7})

    properties = made["Resources"]["Table"]["Properties"]
    assert properties["ProvisionedThroughput"] == {"ReadCapacityUnits": 1, "WriteCapacityUnits": 2}
    assert properties["GlobalSecondaryIndexes"][0]["ProvisionedThroughput"]["WriteCapacityUnits"] == 4
    assert properties["SSESpecification"] == {"SSEEnabled": True, "SSEType": "KMS", "KMSMasterKeyId": "arn:key"}
    assert properties["TableClass"] == "STANDARD_INFREQUENT_ACCESS"
    assert properties["PointInTimeRecoverySpecification"]["RecoveryPeriodInDays"] == 7
    assert properties["DeletionProtectionEnabled"] is True
    assert "Tags" not in properties

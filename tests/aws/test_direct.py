"""DynamoDB's JSON spoken directly says what botocore would have said."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from botocore.exceptions import ClientError

from pyanamo_async.aws.session import Aws
from pyanamo_async.store.dynamodb.schema import creation
from tests.contract.dynamo import dynamo_client


async def test_replies_are_those_of_botocore(
    dynamodb_endpoint: str, monkeypatch: pytest.MonkeyPatch, aws_env: dict[str, str]
) -> None:
    """For every operation the store uses: the same values, the same errors, the same metadata."""
    for name, value in aws_env.items():
        monkeypatch.setenv(name, value)
    table = f"table-{uuid.uuid4().hex}"
    item = {"itemID": {"S": "ü\0"}, "Log": {"M": {"L": {"L": [{"N": "1.5"}, {"S": ""}, {"BOOL": True}]}}}}
    key = {"itemID": item["itemID"]}
    insert = {"Statement": f"INSERT INTO \"{table}\" VALUE {{'itemID': ?}}", "Parameters": [{"S": "b"}]}
    calls: list[tuple[str, dict[str, Any]]] = [
        ("put_item", {"TableName": table, "Item": item, "ReturnValues": "ALL_OLD"}),
        ("put_item", {"TableName": table, "Item": item, "ReturnValues": "ALL_OLD"}),
        ("get_item", {"TableName": table, "Key": key}),
        ("get_item", {"TableName": table, "Key": {"itemID": {"S": "none"}}}),
        ("batch_get_item", {"RequestItems": {table: {"Keys": [key]}}}),
        ("batch_execute_statement", {"Statements": [insert]}),
        ("query", _query(table)),
        ("update_item", {"TableName": table, "Key": key, "UpdateExpression": "REMOVE Log", "ReturnValues": "ALL_NEW"}),
        ("update_item", {"TableName": table, "Key": key, "UpdateExpression": "nonsense"}),
        ("delete_item", {"TableName": table, "Key": key}),
        ("put_item", {"TableName": table, "Item": item, "ConditionExpression": "attribute_exists(itemID)"}),
        ("get_item", {"TableName": "none", "Key": key}),
    ]
    async with Aws() as aws, dynamo_client(dynamodb_endpoint) as theirs:
        ours = await aws.dynamodb()
        said: list[list[Any]] = [[], []]
        for client, answers in ((ours, said[0]), (theirs, said[1])):
            await client.create_table(**creation(table))
            answers += [await _said(client, operation, arguments) for operation, arguments in calls]
            described = (await client.describe_table(TableName=table))["Table"]
            answers.append(type(described["CreationDateTime"]))
            await client.delete_table(TableName=table)

    assert said[0] == said[1]


def _query(table: str) -> dict[str, Any]:
    return {
        "TableName": table,
        "IndexName": "QueueIndex",
        "KeyConditionExpression": "Queue = :queue",
        "ExpressionAttributeValues": {":queue": {"S": "todo#0"}},
    }


async def _said(client: Any, operation: str, arguments: dict[str, Any]) -> Any:  # noqa: ANN401 # a client made at run time
    try:
        answer = await getattr(client, operation)(**arguments)
    except ClientError as exc:
        answer = dict(exc.response)
    meta = answer.pop("ResponseMetadata")
    return answer, meta["HTTPStatusCode"], meta["RetryAttempts"]

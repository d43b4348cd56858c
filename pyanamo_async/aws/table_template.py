"""Write a DynamoDB table as a resource of CloudFormation.

Source: `AWS::DynamoDB::Table` in the CloudFormation template reference. The resource is kept when its stack is deleted,
which is also what an import into a stack asks for ("Import AWS resources into a CloudFormation stack").
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

LOGICAL_ID = "Table"
SYSTEM_TAGS = "aws:"  # made by AWS: nobody else may set them


def table_template(
    described: Mapping[str, Any], tags: Sequence[Mapping[str, str]], history: Mapping[str, Any]
) -> dict[str, Any]:
    """Return a template with one table.

    `described` is the answer of `DescribeTable`, `history` that of `DescribeContinuousBackups` on recovery to a point
    in time.
    """
    resource = {
        "Type": "AWS::DynamoDB::Table",
        "DeletionPolicy": "Retain",
        "UpdateReplacePolicy": "Retain",
        "Properties": {name: value for name, value in _properties(described, tags, history).items() if value},
    }
    return {"AWSTemplateFormatVersion": "2010-09-09", "Resources": {LOGICAL_ID: resource}}


def _properties(
    described: Mapping[str, Any], tags: Sequence[Mapping[str, str]], history: Mapping[str, Any]
) -> dict[str, Any]:
    on_demand = described.get("BillingModeSummary", {}).get("BillingMode") == "PAY_PER_REQUEST"
    own_tags = [{"Key": tag["Key"], "Value": tag["Value"]} for tag in tags if not tag["Key"].startswith(SYSTEM_TAGS)]
    indexes = sorted(described.get("GlobalSecondaryIndexes", ()), key=lambda index: str(index["IndexName"]))
    return {
        "TableName": described["TableName"],
        "KeySchema": _keys(described),
        "AttributeDefinitions": [
            {name: each[name] for name in ("AttributeName", "AttributeType")}
            for each in described["AttributeDefinitions"]
        ],
        "GlobalSecondaryIndexes": [
            {
                "IndexName": index["IndexName"],
                "KeySchema": _keys(index),
                "Projection": _projection(index["Projection"]),
                **_throughput(index, on_demand=on_demand),
            }
            for index in indexes
        ],
        "BillingMode": "PAY_PER_REQUEST" if on_demand else "PROVISIONED",
        **_throughput(described, on_demand=on_demand),
        "TableClass": described.get("TableClassSummary", {}).get("TableClass"),
        "SSESpecification": _encryption(described.get("SSEDescription", {})),
        "PointInTimeRecoverySpecification": _recovery(history),
        "DeletionProtectionEnabled": described.get("DeletionProtectionEnabled"),
        "Tags": sorted(own_tags, key=lambda tag: tag["Key"]),
    }


def _keys(keyed: Mapping[str, Any]) -> list[dict[str, str]]:
    ordered = sorted(keyed["KeySchema"], key=lambda key: str(key["KeyType"]))  # HASH before RANGE
    return [{name: key[name] for name in ("AttributeName", "KeyType")} for key in ordered]


def _projection(projection: Mapping[str, Any]) -> dict[str, Any]:
    names = projection.get("NonKeyAttributes")
    return {"ProjectionType": projection["ProjectionType"]} | ({"NonKeyAttributes": list(names)} if names else {})


def _throughput(described: Mapping[str, Any], *, on_demand: bool) -> dict[str, Any]:
    if on_demand:  # it must be left out then
        return {}
    units = ("ReadCapacityUnits", "WriteCapacityUnits")
    return {"ProvisionedThroughput": {unit: described["ProvisionedThroughput"][unit] for unit in units}}


def _encryption(described: Mapping[str, Any]) -> dict[str, Any]:
    if described.get("Status") != "ENABLED":
        return {}
    key = described.get("KMSMasterKeyArn")
    return {"SSEEnabled": True, "SSEType": "KMS"} | ({"KMSMasterKeyId": key} if key else {})


def _recovery(history: Mapping[str, Any]) -> dict[str, Any]:
    if history.get("PointInTimeRecoveryStatus") != "ENABLED":
        return {}
    days = history.get("RecoveryPeriodInDays")
    return {"PointInTimeRecoveryEnabled": True} | ({"RecoveryPeriodInDays": days} if days else {})

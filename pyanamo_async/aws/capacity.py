"""The capacity of a DynamoDB table: provisioned, on demand, warm, or scaled by Application Auto Scaling.

Sources: `UpdateTable` and `WarmThroughput` in the DynamoDB API reference; "Managing throughput capacity automatically
with auto scaling" in its guide; `RegisterScalableTarget` and `PutScalingPolicy` in the reference of Application Auto
Scaling.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from datetime import timedelta
from typing import Any

from pyanamo_async.aws.errors import translated
from pyanamo_async.aws.session import Aws
from pyanamo_async.aws.table_template import table_template
from pyanamo_async.ports.capacity import (
    TABLE,
    Capacity,
    CapacityAdmin,
    Operation,
    PartCapacity,
    ScalingPolicy,
    Throughput,
)

SCALING, SERVICE = "application-autoscaling", "dynamodb"
UNITS = {Operation.WRITE: "WriteCapacityUnits", Operation.READ: "ReadCapacityUnits"}
METRICS = {
    Operation.WRITE: "DynamoDBWriteCapacityUtilization",
    Operation.READ: "DynamoDBReadCapacityUtilization",
}


class DynamoCapacity(CapacityAdmin):
    """The capacity of one table, by its name."""

    def __init__(self, table: str, aws: Aws) -> None:
        self._table, self._aws = table, aws
        self._what = f"table '{table}'"

    async def describe(self) -> Capacity:
        """Ask DynamoDB for the table and its indexes."""
        described = await self._described()
        billing = described.get("BillingModeSummary", {}).get("BillingMode")
        indexes = described.get("GlobalSecondaryIndexes", ())
        parts = {TABLE: described} | {each["IndexName"]: each for each in sorted(indexes, key=_name)}
        states = {described["TableStatus"], *(each["IndexStatus"] for each in indexes)}
        warming = {part.get("WarmThroughput", {}).get("Status", "ACTIVE") for part in parts.values()}
        return Capacity(
            self._table,
            on_demand=billing == "PAY_PER_REQUEST",
            is_changing=states | warming != {"ACTIVE"},
            parts=tuple(_part(name, each) for name, each in parts.items()),
        )

    async def change(
        self,
        *,
        on_demand: bool | None = None,
        provisioned: Mapping[str, Throughput] | None = None,
        warm: Mapping[str, Throughput] | None = None,
    ) -> None:
        """Send one `UpdateTable`."""
        asked: dict[str, dict[str, Any]] = {}
        for name, units in (provisioned or {}).items():
            each = {UNITS[Operation.READ]: units.read, UNITS[Operation.WRITE]: units.write}
            asked.setdefault(name, {})["ProvisionedThroughput"] = each
        for name, units in (warm or {}).items():
            wanted = {"ReadUnitsPerSecond": units.read, "WriteUnitsPerSecond": units.write}
            asked.setdefault(name, {})["WarmThroughput"] = {unit: n for unit, n in wanted.items() if n}
        request = asked.pop(TABLE, {})
        if on_demand is not None:
            request["BillingMode"] = "PAY_PER_REQUEST" if on_demand else "PROVISIONED"
        if asked:
            request["GlobalSecondaryIndexUpdates"] = [
                {"Update": {"IndexName": name, **each}} for name, each in sorted(asked.items())
            ]
        client = await self._aws.dynamodb()
        with translated(self._what):
            await client.update_table(TableName=self._table, **request)

    async def scaling(self) -> list[ScalingPolicy]:
        """Ask Application Auto Scaling for the policies and ranges of each part."""
        found = []
        for part in (await self.describe()).parts:
            resource = self._resource(part.index)
            targets = self._pages("describe_scalable_targets", "ScalableTargets", ResourceIds=[resource])
            ranges = {target["ScalableDimension"]: target async for target in targets}
            async for policy in self._pages("describe_scaling_policies", "ScalingPolicies", ResourceId=resource):
                read = _policy(part.index, policy, ranges.get(policy["ScalableDimension"], {}))
                if read and policy["ResourceId"] == resource:
                    found.append(read)
        return found

    async def scale(self, policy: ScalingPolicy) -> None:
        """Register the scalable target, then its target-tracking policy."""
        client = await self._aws.client(SCALING)
        where = {
            "ServiceNamespace": SERVICE,
            "ResourceId": self._resource(policy.index),
            "ScalableDimension": _dimension(policy),
        }
        with translated(f"the scaling of {self._what}"):
            await client.register_scalable_target(
                **where, MinCapacity=policy.min_capacity, MaxCapacity=policy.max_capacity
            )
            await client.put_scaling_policy(
                **where,
                PolicyName=policy.name,
                PolicyType="TargetTrackingScaling",
                TargetTrackingScalingPolicyConfiguration={
                    "TargetValue": policy.target_percent,
                    "PredefinedMetricSpecification": {"PredefinedMetricType": METRICS[policy.operation]},
                    "ScaleInCooldown": int(policy.in_cooldown.total_seconds()),
                    "ScaleOutCooldown": int(policy.out_cooldown.total_seconds()),
                },
            )

    async def template(self) -> dict[str, Any]:
        """Ask DynamoDB for the table, its tags and its backups."""
        described, client = await self._described(), await self._aws.dynamodb()
        pages = client.get_paginator("list_tags_of_resource").paginate(ResourceArn=described["TableArn"])
        with translated(self._what):
            tags: list[Any] = [each async for page in pages for each in page.get("Tags", ())]
            backups: Any = await client.describe_continuous_backups(TableName=self._table)
        history = backups["ContinuousBackupsDescription"].get("PointInTimeRecoveryDescription", {})
        return table_template(described, tags, history)

    async def _described(self) -> dict[str, Any]:
        client = await self._aws.dynamodb()
        with translated(self._what):
            answer: Any = await client.describe_table(TableName=self._table)
        described: dict[str, Any] = answer["Table"]
        return described

    async def _pages(self, operation: str, listed: str, **of: object) -> AsyncIterator[dict[str, Any]]:
        client = await self._aws.client(SCALING)
        with translated(f"the scaling of {self._what}"):
            async for page in client.get_paginator(operation).paginate(ServiceNamespace=SERVICE, **of):
                for each in page[listed]:
                    yield each

    def _resource(self, index: str) -> str:
        return f"table/{self._table}" + (f"/index/{index}" if index else "")


def _name(index: Mapping[str, Any]) -> str:
    return str(index["IndexName"])


def _part(name: str, described: Mapping[str, Any]) -> PartCapacity:
    provisioned, warm = described.get("ProvisionedThroughput", {}), described.get("WarmThroughput", {})
    return PartCapacity(
        name,
        Throughput(*(provisioned.get(UNITS[each], 0) for each in (Operation.READ, Operation.WRITE))),
        Throughput(*(warm.get(unit, 0) for unit in ("ReadUnitsPerSecond", "WriteUnitsPerSecond"))),
    )


def _dimension(policy: ScalingPolicy) -> str:
    return f"{SERVICE}:{'index' if policy.index else 'table'}:{UNITS[policy.operation]}"


def _policy(index: str, policy: Mapping[str, Any], target: Mapping[str, Any]) -> ScalingPolicy | None:
    """Read a policy; None if it tracks anything but the use of provisioned capacity."""
    tracking = policy.get("TargetTrackingScalingPolicyConfiguration", {})
    metric = tracking.get("PredefinedMetricSpecification", {}).get("PredefinedMetricType")
    operation = next((each for each, name in METRICS.items() if name == metric), None)
    if operation is None:
        return None
    return ScalingPolicy(
        name=policy["PolicyName"],
        index=index,
        operation=operation,
        min_capacity=target.get("MinCapacity", 0),
        max_capacity=target.get("MaxCapacity", 0),
        target_percent=float(tracking["TargetValue"]),
        in_cooldown=timedelta(seconds=tracking.get("ScaleInCooldown", 0)),
        out_cooldown=timedelta(seconds=tracking.get("ScaleOutCooldown", 0)),
    )

"""The job definitions and queues with which AWS Batch starts workers.

Source: `DescribeJobDefinitions`, `DescribeJobQueues` and `DescribeComputeEnvironments` in the AWS Batch API reference.
botocore's model of the service is older than `stopTimeout` and would leave it out. So replies about job definitions are
read as plain JSON, in botocore's public event `before-parse`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import timedelta
from http import HTTPStatus
from typing import Any

import orjson

from pyanamo_async.aws.errors import translated
from pyanamo_async.aws.session import Aws
from pyanamo_async.ports.platform import JobDefinition, JobQueue, RetryRule

WELL = {"ENABLED", "VALID"}


class BatchSetup:
    """Job definitions and queues of the account and region of a session."""

    def __init__(self, aws: Aws) -> None:
        self._aws = aws

    async def definition(self, name: str) -> JobDefinition | None:
        """Find the newest active revision by name, or one by `NAME:REVISION` or ARN."""
        exact = ":" in name
        asked: dict[str, Any] = {"jobDefinitions": [name]} if exact else {"jobDefinitionName": name, "status": "ACTIVE"}
        client = await self._aws.client("batch")
        client.meta.events.register("before-parse.batch.DescribeJobDefinitions", _as_json, unique_id="as-json")
        found: list[dict[str, Any]] = []
        with translated("AWS Batch"):
            async for page in client.get_paginator("describe_job_definitions").paginate(**asked):
                found += page.get("jobDefinitions", ())
        return _definition(max(found, key=lambda each: int(each["revision"]))) if found else None

    async def queue(self, name: str) -> JobQueue | None:
        """Find a queue by its name or ARN, and look at the compute environments behind it."""
        client = await self._aws.client("batch")
        with translated("AWS Batch"):
            queues = (await client.describe_job_queues(jobQueues=[name]))["jobQueues"]
            if not queues:
                return None
            order = [each["computeEnvironment"] for each in queues[0].get("computeEnvironmentOrder", ())]
            reply = await client.describe_compute_environments(computeEnvironments=order)
        environments = reply["computeEnvironments"]
        named = [
            ("queue", queues[0]),
            *((f"compute environment {each['computeEnvironmentName']}", each) for each in environments),
        ]
        resources = [each.get("computeResources", {}) for each in environments]
        return JobQueue(
            name=str(queues[0]["jobQueueName"]),
            problem="; ".join(_problems(named)),
            kinds=tuple(dict.fromkeys(str(each.get("type", "")) for each in resources)),
            max_cpus=sum(int(each.get("maxvCpus", 0)) for each in resources),
            fair_share=bool(queues[0].get("schedulingPolicyArn")),
        )


def _as_json(
    response_dict: dict[str, Any],
    customized_response_dict: dict[str, Any],
    **_: object,
) -> None:
    if response_dict["status_code"] == HTTPStatus.OK:
        customized_response_dict.update(orjson.loads(response_dict["body"]))
        response_dict["body"] = b"{}"


def _problems(named: Iterable[tuple[str, Mapping[str, Any]]]) -> Iterable[str]:
    for what, described in named:
        ill = [described[name] for name in ("state", "status") if described.get(name, "VALID") not in WELL]
        if ill:
            yield f"{what} is {', '.join(ill)}: {described.get('statusReason') or 'no reason is given'}"


def _definition(described: Mapping[str, Any]) -> JobDefinition:
    container, stop_timeout = _container(described)
    retrying, limit = described.get("retryStrategy") or {}, described.get("timeout") or {}
    seconds = limit.get("attemptDurationSeconds")
    return JobDefinition(
        name=f"{described['jobDefinitionName']}:{described['revision']}",
        image=str(container.get("image", "")),
        platforms=tuple(described.get("platformCapabilities") or ("EC2",)),
        command=tuple(container.get("command", ())),
        environment={each["name"]: each.get("value", "") for each in container.get("environment", ())},
        attempts=int(retrying.get("attempts", 1)),
        rules=tuple(_rule(each) for each in retrying.get("evaluateOnExit", ())),
        attempt_limit=timedelta(seconds=seconds) if seconds else None,
        stop_timeout=timedelta(seconds=stop_timeout) if stop_timeout else None,
        container=str(container.get("name", "")),
        cpus=_resource(container, "VCPU", "vcpus"),
        memory_bytes=None if (mebibytes := _resource(container, "MEMORY", "memory")) is None else int(mebibytes) << 20,
    )


def _container(described: Mapping[str, Any]) -> tuple[Mapping[str, Any], int | None]:
    """Return the container that is a worker, and its stop timeout in seconds, which only ECS properties have."""
    for task in (described.get("ecsProperties") or {}).get("taskProperties", ()):
        for container in task.get("containers", ()):
            if container.get("essential", True):
                return container, container.get("stopTimeout")
    return described.get("containerProperties") or {}, None


def _resource(container: Mapping[str, Any], kind: str, older_field: str) -> float | None:
    asked = [each["value"] for each in container.get("resourceRequirements", ()) if each["type"] == kind]
    return float(asked[0]) if asked else container.get(older_field)


def _rule(rule: Mapping[str, str]) -> RetryRule:
    return RetryRule(
        retries=rule.get("action", "").upper() == "RETRY",
        on_status_reason=rule.get("onStatusReason"),
        on_reason=rule.get("onReason"),
        on_exit_code=rule.get("onExitCode"),
    )

"""Queues, compute environments, scheduling policies and job definitions: what is set up before jobs are submitted."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from harness.batch import rules
from harness.batch.jobs import arn
from harness.batch.rules import Refused

T = TypeVar("T")
PAGE = 100
FARGATE_QUOTA = 6.0  # vCPU of an account that never asked for more


class Registry:
    """What somebody has set up, under one lock."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.quotas = {"L-3032A538": FARGATE_QUOTA, "L-36FBB829": FARGATE_QUOTA}
        self._queues: dict[str, dict[str, Any]] = {}
        self._environments: dict[str, dict[str, Any]] = {}
        self._policies: dict[str, dict[str, Any]] = {}
        self._definitions: dict[str, list[dict[str, Any]]] = {}

    def queue(self, name: str) -> dict[str, Any]:
        """Return the queue of a name or ARN."""
        found = self._queues.get(name.rpartition("/")[2])
        if found is None:
            raise Refused(f"Job queue {name} does not exist")
        return found

    def queue_names(self) -> list[str]:
        """Return the names of all queues."""
        return [*self._queues]

    def definition(self, name: str) -> dict[str, Any]:
        """Return the definition of a name, of a name and revision, or of an ARN."""
        name, _, revision = name.rpartition("/")[2].partition(":")
        kept = self._definitions.get(name, [])
        chosen = [each for each in kept if not revision or str(each["revision"]) == revision]
        if not chosen:
            raise Refused(f"JobDefinition {name}{':' * bool(revision)}{revision} does not exist")
        return chosen[-1]

    def create_compute_environment(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Set up a compute environment."""
        name = given["computeEnvironmentName"]
        made = {
            "computeEnvironmentName": name,
            "computeEnvironmentArn": arn("compute-environment", name),
            "type": given["type"],
            "state": given.get("state", "ENABLED"),
            "status": "VALID",
            "statusReason": "ComputeEnvironment Healthy",
            **({"computeResources": given["computeResources"]} if "computeResources" in given else {}),
        }
        self._environments[name] = made
        return {name: made[name] for name in ("computeEnvironmentName", "computeEnvironmentArn")}

    def create_scheduling_policy(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Set up a fair-share policy."""
        made = {"name": given["name"], "arn": arn("scheduling-policy", given["name"])}
        self._policies[given["name"]] = made
        return dict(made)

    def create_job_queue(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Set up a queue."""
        for each in given.get("computeEnvironmentOrder", ()):
            if each["computeEnvironment"].rpartition("/")[2] not in self._environments:
                raise Refused(f"Compute environment {each['computeEnvironment']} does not exist")
        name = given["jobQueueName"]
        self._queues[name] = {
            "jobQueueName": name,
            "jobQueueArn": arn("job-queue", name),
            "state": given.get("state", "ENABLED"),
            "status": "VALID",
            "statusReason": "JobQueue Healthy",
            "priority": given["priority"],
            "computeEnvironmentOrder": [*given.get("computeEnvironmentOrder", ())],
            **{kept: given[kept] for kept in ("schedulingPolicyArn", "jobStateTimeLimitActions") if kept in given},
        }
        return {"jobQueueName": name, "jobQueueArn": arn("job-queue", name)}

    def update_job_queue(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Change a queue, as when it is disabled."""
        queue = self.queue(given["jobQueue"])
        queue |= {name: value for name, value in given.items() if name in {"state", "priority"}}
        return {"jobQueueName": queue["jobQueueName"], "jobQueueArn": queue["jobQueueArn"]}

    def register_job_definition(self, given: Mapping[str, Any], size_bytes: int) -> dict[str, Any]:
        """Set up the next revision of a definition."""
        rules.check_definition(given, size_bytes=size_bytes)
        name = given["jobDefinitionName"]
        kept = self._definitions.setdefault(name, [])
        revision = len(kept) + 1
        told = {
            "jobDefinitionName": name,
            "jobDefinitionArn": arn("job-definition", f"{name}:{revision}"),
            "revision": revision,
        }
        kept.append({**given, **told, "status": "ACTIVE"})
        return told

    def describe_job_definitions(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Describe definitions by name, status and ARN, all their revisions."""
        found = [each for kept in self._definitions.values() for each in kept]
        if "jobDefinitionName" in given:
            found = [each for each in found if each["jobDefinitionName"] == given["jobDefinitionName"]]
        if "jobDefinitions" in given:
            asked = [each.rpartition("/")[2] for each in given["jobDefinitions"]]
            found = [each for each in found if f"{each['jobDefinitionName']}:{each['revision']}" in asked]
        shown, token = page(found, given)
        return {"jobDefinitions": shown, **token}

    def describe_job_queues(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Describe the queues that there are of those that are named, or all."""
        return {"jobQueues": _named(self._queues, given.get("jobQueues"))}

    def describe_compute_environments(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Describe the environments that there are of those that are named, or all."""
        return {"computeEnvironments": _named(self._environments, given.get("computeEnvironments"))}

    def get_service_quota(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Tell how much Fargate runs at once."""
        code = given["QuotaCode"]
        if given["ServiceCode"] != "fargate" or code not in self.quotas:
            raise Refused("there is no such quota")
        return {"Quota": {"ServiceCode": "fargate", "QuotaCode": code, "Value": self.quotas[code]}}


def page(found: Sequence[T], given: Mapping[str, Any]) -> tuple[list[T], dict[str, str]]:
    """Return a page of what was found, and the token of the next."""
    start, size = int(given.get("nextToken", 0)), min(given.get("maxResults", PAGE), PAGE)
    token = {"nextToken": str(start + size)} if start + size < len(found) else {}
    return [*found[start : start + size]], token


def _named(kept: Mapping[str, dict[str, Any]], names: Sequence[str] | None) -> list[dict[str, Any]]:
    if names is None:
        return [*kept.values()]
    return [kept[short] for short in (each.rpartition("/")[2] for each in names) if short in kept]

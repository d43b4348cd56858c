"""Queues, definitions and jobs as AWS Batch keeps and shows them."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from harness.batch.rules import End

REGION, ACCOUNT = "us-east-1", "123456789012"


class Status(StrEnum):
    """The states of a job, in their order."""

    SUBMITTED = "SUBMITTED"
    PENDING = "PENDING"
    RUNNABLE = "RUNNABLE"
    STARTING = "STARTING"
    RUNNING = "RUNNING"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"


ENDED = {Status.SUCCEEDED, Status.FAILED}
WAITING = {Status.SUBMITTED, Status.PENDING, Status.RUNNABLE}


def arn(kind: str, name: str) -> str:
    """Return the ARN of something of Batch's."""
    return f"arn:aws:batch:{REGION}:{ACCOUNT}:{kind}/{name}"


def now_ms() -> int:
    """Return the time as Batch shows it."""
    return int(time.time() * 1000)


@dataclass
class Attempt:
    """One run of a job."""

    started_ms: int
    stopped_ms: int = 0
    end: End | None = None

    def described(self) -> dict[str, Any]:
        """Return it as `DescribeJobs` does, once it has ended."""
        assert self.end is not None
        return {
            "container": _container_end(self.end),
            "startedAt": self.started_ms,
            "stoppedAt": self.stopped_ms,
            "statusReason": self.end.status_reason,
        }


@dataclass
class Job:
    """A job, an array of jobs, or a child of one: `children` and `index` tell which."""

    job_id: str
    request: Mapping[str, Any]
    definition: Mapping[str, Any]
    queue: str
    index: int | None = None
    children: list[Job] = field(default_factory=list)
    status: Status = Status.SUBMITTED
    status_reason: str = ""
    created_ms: int = field(default_factory=now_ms)
    runnable_ms: int = field(default_factory=now_ms)
    attempts: list[Attempt] = field(default_factory=list)
    ended_by: str = ""  # why somebody ended it: then it is never retried
    stopped_ms: int = 0

    @property
    def retry_strategy(self) -> Mapping[str, Any]:
        """How it is retried: as it was submitted, or else as its definition says."""
        strategy: Mapping[str, Any] = self.request.get("retryStrategy") or self.definition.get("retryStrategy", {})
        return strategy

    @property
    def timeout_s(self) -> int | None:
        """How long an attempt may take."""
        timeout = self.request.get("timeout") or self.definition.get("timeout", {})
        seconds: int | None = timeout.get("attemptDurationSeconds")
        return seconds

    @property
    def environment(self) -> dict[str, str]:
        """The variables of its definition, and over them those that it was submitted with."""
        both = (*_container(self.definition).get("environment", ()), *self._override().get("environment", ()))
        return {each["name"]: each["value"] for each in both}

    @property
    def command(self) -> list[str]:
        """What its container is to run."""
        return [*(self._override().get("command") or _container(self.definition).get("command", ()))]

    def batch_environment(self) -> dict[str, str]:
        """Return what Batch itself tells a container. Source: user guide, "Job environment variables"."""
        told = {
            "AWS_BATCH_JOB_ID": self.job_id,
            "AWS_BATCH_JOB_ATTEMPT": str(len(self.attempts)),
            "AWS_BATCH_JQ_NAME": self.queue,
            "AWS_BATCH_CE_NAME": f"{self.queue}-environment",
        }
        return told if self.index is None else told | {"AWS_BATCH_JOB_ARRAY_INDEX": str(self.index)}

    def summary(self) -> dict[str, Any]:
        """Return it as `ListJobs` does."""
        shown = {name: value for name, value in self.described().items() if name in SUMMARISED}
        shown["container"] = {name: shown["container"][name] for name in SUMMARISED_CONTAINER & {*shown["container"]}}
        if "arrayProperties" in shown:
            shown["arrayProperties"].pop("statusSummary", None)
        return shown

    def described(self) -> dict[str, Any]:
        """Return it as `DescribeJobs` does."""
        ended = [each for each in self.attempts if each.end]
        shown: dict[str, Any] = {
            "jobArn": arn("job", self.job_id),
            "jobId": self.job_id,
            "jobName": self.request["jobName"],
            "jobQueue": arn("job-queue", self.queue),
            "jobDefinition": self.definition["jobDefinitionArn"],
            "status": str(self.status),
            "createdAt": self.created_ms,
            "startedAt": self.attempts[-1].started_ms if self.attempts else 0,
            "attempts": [each.described() for each in ended],
            "retryStrategy": self.retry_strategy,
            "tags": self.request.get("tags", {}),
            "container": {"environment": [{"name": key, "value": it} for key, it in self.environment.items()]}
            | (_container_end(ended[-1].end) if ended and ended[-1].end else {}),
            **self._array(),
        }
        if self.status_reason:
            shown["statusReason"] = self.status_reason
        if self.stopped_ms:
            shown["stoppedAt"] = self.stopped_ms
        if "shareIdentifier" in self.request:
            shown["shareIdentifier"] = self.request["shareIdentifier"]
        return shown

    def family(self) -> Iterator[Job]:
        """Yield what runs of it: itself, or its children."""
        yield from self.children or [self]

    def _array(self) -> dict[str, Any]:
        if self.index is not None:
            return {"arrayProperties": {"index": self.index}}
        if not self.children:
            return {}
        counted = Counter(str(each.status) for each in self.children)
        summary = {str(each): counted[str(each)] for each in Status}
        return {"arrayProperties": {"size": len(self.children), "statusSummary": summary}}

    def _override(self) -> Mapping[str, Any]:
        tasks = self.request.get("ecsPropertiesOverride", {}).get("taskProperties")
        override: Mapping[str, Any] = tasks[0]["containers"][0] if tasks else self.request.get("containerOverrides", {})
        return override


SUMMARISED = {
    "jobArn",
    "jobId",
    "jobName",
    "createdAt",
    "status",
    "statusReason",
    "startedAt",
    "stoppedAt",
    "container",
}
SUMMARISED |= {"arrayProperties", "jobDefinition"}
SUMMARISED_CONTAINER = {"exitCode", "reason"}


def _container(definition: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the container of a definition, of several the first."""
    if "ecsProperties" in definition:
        first: Mapping[str, Any] = definition["ecsProperties"]["taskProperties"][0]["containers"][0]
        return first
    only: Mapping[str, Any] = definition.get("containerProperties", {})
    return only


def _container_end(end: End) -> dict[str, Any]:
    code = {} if end.exit_code is None else {"exitCode": end.exit_code}
    return code | ({"reason": end.reason} if end.reason else {})

"""A fake of AWS Batch with a queue and a job definition, as tests use it."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from harness.batch import FakeBatch, serving
from harness.servers.clients import client

QUEUE, FAIR_QUEUE, DEFINITION, ECS_DEFINITION = "spot", "fair", "worker", "worker-ecs"
ON_DEMAND_QUEUE, FAIR_ON_DEMAND_QUEUE = "on-demand", "fair-on-demand"
RETRY = {
    "attempts": 5,
    "evaluateOnExit": [
        {"onStatusReason": "Host EC2*", "action": "RETRY"},
        {"onStatusReason": "Your Spot Task was interrupted*", "action": "RETRY"},
        {"onStatusReason": "Task failed to start*", "action": "RETRY"},
        {"onExitCode": "75", "action": "RETRY"},
        {"onReason": "*", "action": "EXIT"},
    ],
}
COMMON = {
    "type": "container",
    "platformCapabilities": ["FARGATE"],
    "retryStrategy": RETRY,
    "timeout": {"attemptDurationSeconds": 86400},
}


@contextmanager
def a_batch(
    folder: Path,
    *,
    entrypoint: Sequence[str] = ("true",),
    command: Sequence[str] = (),
    environment: Mapping[str, str] | None = None,
    capacity: int = 1000,
    kill_after_s: float = 30.0,
) -> Iterator[tuple[FakeBatch, str]]:
    """Serve a fake with queues on Spot and on demand, two that share fairly, and a definition of either form."""
    fake = FakeBatch(
        entrypoint=entrypoint,
        environment={"PATH": os.environ["PATH"], **(environment or {})},
        folder=folder,
        capacity=capacity,
        kill_after_s=kill_after_s,
    )
    with serving(fake) as (batch, address):
        api: Any = client("batch", address)
        policy = api.create_scheduling_policy(name="fair")["arn"]
        for name, kind, plain, fair in (
            ("fargate-spot", "FARGATE_SPOT", QUEUE, FAIR_QUEUE),
            ("fargate", "FARGATE", ON_DEMAND_QUEUE, FAIR_ON_DEMAND_QUEUE),
        ):
            fargate = {"type": kind, "maxvCpus": 256, "subnets": ["subnet-1"]}
            api.create_compute_environment(computeEnvironmentName=name, type="MANAGED", computeResources=fargate)
            order = [{"order": 1, "computeEnvironment": name}]
            api.create_job_queue(jobQueueName=plain, priority=1, computeEnvironmentOrder=order)
            api.create_job_queue(
                jobQueueName=fair, priority=1, computeEnvironmentOrder=order, schedulingPolicyArn=policy
            )
        define(address, DEFINITION, command=command)
        tasks = [{"containers": [{**a_container(command), "name": "worker", "essential": True}]}]
        api.register_job_definition(jobDefinitionName=ECS_DEFINITION, ecsProperties={"taskProperties": tasks}, **COMMON)
        yield batch, address


def a_container(command: Sequence[str] = (), *, memory_mib: int = 16384) -> dict[str, Any]:
    """Return the container of a definition."""
    return {
        "image": "pyanamo-async",
        "command": [*command],
        "environment": [],
        "resourceRequirements": [{"type": "VCPU", "value": "2"}, {"type": "MEMORY", "value": str(memory_mib)}],
    }


def define(
    address: str,
    name: str,
    *,
    command: Sequence[str] = (),
    memory_mib: int = 16384,
    variables: Mapping[str, str] = {},
    platform: str = "FARGATE",
) -> None:
    """Register a definition of one container."""
    api: Any = client("batch", address)
    container = a_container(command, memory_mib=memory_mib)
    container["environment"] = [{"name": name, "value": value} for name, value in variables.items()]
    asked = {**COMMON, "platformCapabilities": [platform]}
    api.register_job_definition(jobDefinitionName=name, containerProperties=container, **asked)

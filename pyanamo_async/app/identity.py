"""Identify the worker that starts now: its id, its host, and where its platform runs it.

1. No other worker has its id: a Batch job's id repeats across its attempts, a host's name across containers.
2. Nothing is asked on a machine that belongs to no platform, and where something is, it is asked while the table is.
"""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Mapping
from dataclasses import dataclass, field

from pyanamo_async.aws.ecs import ecs_task
from pyanamo_async.aws.instance_metadata import InstanceMetadata
from pyanamo_async.core.platforms import NOWHERE, Platform, platform_of, safe, with_task
from pyanamo_async.core.values import replace
from pyanamo_async.ports import EventLog

KNOWN_WITHIN_S = 2.5  # a container that no token reaches costs a second, before version 1 is asked


@dataclass(frozen=True, slots=True)
class Identity:
    """A worker's id, its host, its job as people call it (empty for nobody's), and what is known of its platform."""

    worker_id: str
    host: str
    job: str
    platform: Platform = field(default=NOWHERE)


def who(environ: Mapping[str, str] = os.environ) -> Identity:
    """Identify the worker that starts now, without asking anybody."""
    host, (platform, names) = safe(socket.gethostname()), platform_of(environ)
    worker_id = f"{names.worker or host or 'worker'}-{os.urandom(4).hex()}"
    return Identity(worker_id, host, names.job, platform)


async def find_platform(
    known: Platform, environ: Mapping[str, str], metadata: InstanceMetadata | None, *, event_log: EventLog
) -> Platform:
    """Return a platform with what the metadata services of ECS and EC2 add, as far as they answer in time."""
    try:
        async with asyncio.timeout(KNOWN_WITHIN_S):
            task, instance = await asyncio.gather(
                _task(environ.get("ECS_CONTAINER_METADATA_URI_V4", ""), event_log), _instance(metadata)
            )
    except TimeoutError:
        event_log.note("platform unknown", trouble="the metadata services do not answer in time")
        return known
    return replace(with_task(known, task) if task.task else known, instance=instance)


async def _task(uri: str, event_log: EventLog) -> Platform:
    try:
        return await ecs_task(uri) if uri else NOWHERE
    except ValueError as trouble:
        event_log.note("platform unknown", trouble=f"ECS metadata: {trouble}")
        return NOWHERE


async def _instance(metadata: InstanceMetadata | None) -> str:
    return await metadata.instance_id() if metadata else ""

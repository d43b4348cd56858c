"""Ask ECS which task this is, and how many CPUs and how much memory it may use. Jobs of Batch are ECS tasks, too.

The answer is shown to people, and it sets how many items run at a time unless they say so. Nothing else depends on it.
On EC2 the CPUs of a container are a share and not a limit, so no control group has their number.

Source: Amazon ECS developer guide, "Amazon ECS task metadata endpoint version 4". A task's CPUs are in vCPUs, those of
a container in 1/1024 of one; memory is in MiB.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from http import HTTPStatus
from typing import Any

import orjson

from pyanamo_async.core.platforms import Platform, PlatformKind, safe

ANSWER_S = 1.0
LONGEST = 256 << 10  # in bytes, of an answer: it lists all containers of the task
UNITS_PER_CPU, MIB = 1024, 1 << 20
MOST_CPUS, MOST_MIB = 4096, 1 << 30  # beyond what any machine has


async def ecs_task(uri: str, *, answer_s: float = ANSWER_S) -> Platform:
    """Return what the metadata endpoint says about this task.

    Raises:
        ValueError: there is no answer, or it is invalid.
    """
    import aiohttp

    timeout = aiohttp.ClientTimeout(total=answer_s)
    try:
        async with aiohttp.ClientSession(timeout=timeout) as session:
            task = await _get(session, f"{uri.rstrip('/')}/task")
            limits = _limits(task.get("Limits"), per_cpu=1)
            if None in limits:
                with suppress(ValueError):  # the task itself is known
                    own = _limits((await _get(session, uri)).get("Limits"), per_cpu=UNITS_PER_CPU)
                    limits = limits[0] or own[0], limits[1] or own[1]
    except (aiohttp.ClientError, OSError) as exc:  # TimeoutError is an OSError
        raise ValueError(str(exc) or "no answer in time") from exc
    arn, cluster = (_name(task.get(key)) for key in ("TaskARN", "Cluster"))
    if not arn:
        raise ValueError("the answer names no task")
    return Platform(
        PlatformKind.ECS, task=arn, cluster=cluster.rpartition("/")[2], cpus=limits[0], memory_bytes=limits[1]
    )


async def _get(session: Any, url: str) -> Mapping[str, Any]:  # noqa: ANN401 - aiohttp's, imported when it is used
    async with session.get(url, allow_redirects=False) as answer:
        content = bytearray()
        async for chunk in answer.content.iter_any():
            content += chunk
            if len(content) > LONGEST:
                raise ValueError("the answer is too long")
    if answer.status != HTTPStatus.OK:
        raise ValueError(f"the answer has status {answer.status}")
    found = orjson.loads(bytes(content))
    if not isinstance(found, dict):
        raise ValueError("the answer is not an object")  # noqa: TRY004 - as for any invalid answer
    return found


def _limits(limits: object, *, per_cpu: int) -> tuple[float | None, int | None]:
    """Return the CPUs and the bytes of memory; None for no limit."""
    known = limits if isinstance(limits, Mapping) else {}
    cpus, mib = _number(known.get("CPU"), MOST_CPUS * per_cpu), _number(known.get("Memory"), MOST_MIB)
    return cpus and cpus / per_cpu, int(mib * MIB) if mib else None


def _number(value: object, most: float) -> float | None:
    is_number = isinstance(value, int | float) and not isinstance(value, bool) and 0 < value <= most
    return float(value) if is_number else None  # type: ignore[arg-type] # it is one


def _name(value: object) -> str:
    return safe(value, also="/") if isinstance(value, str) else ""

"""What a worker learns of its platform when it starts, from metadata services of our own."""

from __future__ import annotations

import asyncio
import dataclasses
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import timedelta

import pytest
from aiohttp import web

from pyanamo_async.app import limits
from pyanamo_async.app.bootstrap import work
from pyanamo_async.app.identity import find_platform, who
from pyanamo_async.app.settings import WorkerSettings, make_settings
from pyanamo_async.aws.instance_metadata import InstanceMetadata
from pyanamo_async.core.memory.room_wait import RoomWait
from pyanamo_async.core.platforms import NOWHERE, Platform, PlatformKind
from pyanamo_async.core.stored.queue_key import format_time
from pyanamo_async.core.stored.worker_row import encode_worker
from pyanamo_async.core.workers import Worker
from pyanamo_async.outputs.memory import MemoryObjects, MemoryOutputs
from pyanamo_async.store.memory import MemoryStore
from simulation.crew import Notes
from tests.fakes import NOON

ARN = "arn:aws:ecs:us-west-2:111122223333:task/default/158d1c8083dd49d6b527399fd6414f5c"
CLUSTER = "arn:aws:ecs:us-west-2:111122223333:cluster/default"
TASK = {"Cluster": CLUSTER, "TaskARN": ARN, "Family": "genomes", "Limits": {"CPU": 0.25, "Memory": 512}}
CONTAINER = {"DockerId": "ea32192c8553", "Limits": {"CPU": 2048, "Memory": 4096}}
HANG = "hang"
Answer = object


@asynccontextmanager
async def serving(answers: Mapping[str, Answer]) -> AsyncIterator[str]:
    """Serve answers by path: text, bytes or a status, or none at all; yield the address."""
    ended = asyncio.Event()

    async def answer(request: web.Request) -> web.Response:
        said = answers.get(request.path, 404)
        if said == HANG:
            await ended.wait()
        if isinstance(said, int):
            return web.Response(status=said)
        return web.Response(body=said if isinstance(said, bytes) else str(said).encode())

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield site.name
    finally:
        ended.set()
        await runner.cleanup()


async def found(ecs: Mapping[str, Answer] | None, ec2: Mapping[str, Answer] | None) -> tuple[Platform, Notes]:
    """Find the platform between two services."""
    notes = Notes()
    async with serving(ecs or {}) as task_service, serving(ec2 or {}) as instance_service:
        environ = {} if ecs is None else {"ECS_CONTAINER_METADATA_URI_V4": f"{task_service}/v4/1"}
        told = lambda trouble: notes.note("trouble", trouble=trouble)  # noqa: E731 - a sink
        metadata = None if ec2 is None else InstanceMetadata(instance_service, on_trouble=told)
        return await find_platform(NOWHERE, environ, metadata, event_log=notes), notes


async def test_a_task_of_ecs_is_named_with_its_limits() -> None:
    """Task, cluster, CPUs and memory; those of the container count where the task has none."""
    fargate, notes = await found({"/v4/1/task": json.dumps(TASK)}, None)
    assert fargate == Platform(task=ARN, cluster="default", cpus=0.25, memory_bytes=512 << 20)
    assert not notes.taken

    unlimited = json.dumps({key: value for key, value in TASK.items() if key != "Limits"})
    on_ec2, _ = await found({"/v4/1/task": unlimited, "/v4/1": json.dumps(CONTAINER)}, None)
    assert (on_ec2.task, on_ec2.cpus, on_ec2.memory_bytes) == (ARN, 2.0, 4 << 30)


@pytest.mark.parametrize(
    "answer",
    [HANG, 500, 302, b"\xff", "<html>", "[]", "{}", '{"TaskARN": 3}', b"x" * 300_000, b"[" * 100_000],
    ids=["slow", "refusing", "redirect", "bytes", "page", "list", "empty", "number", "long", "deep"],
)
async def test_what_is_no_answer_of_ecs_is_told_once_and_costs_nothing_else(answer: Answer) -> None:
    """The worker starts as if it had not asked, and says why it does not know."""
    platform, notes = await found({"/v4/1/task": answer}, None)

    assert platform == NOWHERE
    assert [event for event, _ in notes.taken] == ["platform unknown"]


async def test_limits_that_are_none_are_left_out() -> None:
    """A worker never runs minus three items at a time."""
    for cpus in (-3, 0, "4", True, None, 1e12, [1]):
        platform, _ = await found({"/v4/1/task": json.dumps(TASK | {"Limits": {"CPU": cpus, "Memory": cpus}})}, None)
        assert (platform.task, platform.cpus, platform.memory_bytes) == (ARN, None, None), cpus


async def test_an_instance_is_named_with_a_token_and_without() -> None:
    """Where none can be had version 1 is asked, which is told once."""
    instance = {"/latest/meta-data/instance-id": "i-0abcdef1234567890"}
    platform, notes = await found(None, {"/latest/api/token": "secret"} | instance)
    assert (platform.instance, notes.taken) == ("i-0abcdef1234567890", [])

    platform, notes = await found(None, {"/latest/api/token": HANG} | instance)
    assert (platform.instance, len(notes.taken)) == ("i-0abcdef1234567890", 1)


@pytest.mark.parametrize("answer", [HANG, 401, "i-;rm -rf /", b"\xff", "<html>"])
async def test_what_is_no_instance_id_is_left_out(answer: Answer) -> None:
    """It would be shown to people, and go into names."""
    platform, notes = await found(None, {"/latest/api/token": "secret", "/latest/meta-data/instance-id": answer})

    assert platform.instance == ""
    assert len(notes.taken) <= 1


async def test_a_laptop_asks_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the variables of a platform no connection is opened, so nothing delays the start."""
    asked: list[str] = []
    monkeypatch.setattr("aiohttp.ClientSession", lambda **_: asked.append("a session"))

    assert await find_platform(NOWHERE, {}, None, event_log=Notes()) == NOWHERE
    assert not asked


@pytest.mark.parametrize(("asked", "slots"), [(None, 1), (6, 6)])
async def test_what_the_platform_allows_is_how_many_items_run_at_a_time_unless_a_person_says(
    asked: int | None, slots: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On EC2 a container's CPUs are a share that no control group tells: every container would take the whole host."""
    store = MemoryStore()
    await store.create(shards=1)
    monkeypatch.setattr(limits, "usable_cpus", lambda: 64)
    settings = dataclasses.replace(make_settings(table="memory:"), running=WorkerSettings(asked))
    async with serving({"/v4/1/task": json.dumps(TASK)}) as site:
        monkeypatch.setenv("ECS_CONTAINER_METADATA_URI_V4", f"{site}/v4/1")
        await work(settings, who(), store=store, outputs=MemoryOutputs(), objects=MemoryObjects(), event_log=Notes())

    [row] = await store.workers()
    assert (row.slots, row.platform.kind, row.platform.task) == (slots, PlatformKind.ECS, ARN)


def test_a_workers_row_stays_below_the_kilobyte_that_a_write_costs() -> None:
    """With the longest names that AWS gives: a heartbeat of more would cost twice as much, for each worker for ever."""
    job = "0b5b1d7f-b7bc-4f8f-9a4f-3e5c0a2c1b11:9999"
    platform = Platform(
        PlatformKind.BATCH,
        attempt=10,
        array_index=9999,
        task=ARN.replace("default", "x" * 80),
        cluster="x" * 80,
        instance="i-" + "0" * 17,
        cpus=64.0,
        memory_bytes=1 << 40,
    )
    worker = Worker(
        f"{job}-12345678",
        "ip-10-0-100-100.eu-west-2.compute.internal",
        NOON,
        NOON,
        timedelta(minutes=3),
        job=f"{job} attempt 10",
        process="x" * 80,
        stopped_by="ordered to drain",
        platform=platform,
        waiting=RoomWait("0" * 32, memory_bytes=1 << 40, free_bytes=1 << 39, cpus=64, free_cpus=63),
    )
    row = {
        "itemID": f"#worker#{worker.worker_id}",
        "Queue": "worker#0",
        "Queue_Key": format_time(NOON),
        "Desired": "drain",
    }

    assert len(json.dumps(row | encode_worker(worker), separators=(",", ":"))) < 1024

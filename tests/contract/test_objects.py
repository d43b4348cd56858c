"""The laws of `ports.ObjectStore`, over every store."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from pyanamo_async.core.values import replace
from pyanamo_async.errors import OutputMissing
from pyanamo_async.outputs.files import FileObjects
from pyanamo_async.outputs.memory import MemoryObjects
from pyanamo_async.outputs.s3 import S3Objects, open_bucket
from pyanamo_async.ports import ObjectKey, ObjectStore
from tests.outputs.stores import s3_client

KEY = ObjectKey("table", "an item", "Task_0", "1-00ab/results/a b.txt")
NOISE = random.Random(1).randbytes(9 << 20)  # more than a part


@pytest.fixture(params=["memory", "files", "s3"])
async def objects(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[ObjectStore]:
    """Each store in turn."""
    match request.param:
        case "memory":
            yield MemoryObjects()
        case "files":
            yield FileObjects(tmp_path / "new", "PyAnamo")
        case "s3":
            async with s3_client(request.getfixturevalue("moto_endpoint")) as client:
                yield S3Objects(open_bucket(client, request.getfixturevalue("bucket")), "PyAnamo")


async def put(objects: ObjectStore, key: ObjectKey, content: bytes) -> str:
    sink = objects.open(key)
    for at in range(0, len(content), 1 << 20):
        await sink.write(content[at : at + (1 << 20)])
    return await sink.close()


async def read(objects: ObjectStore, location: str, start: int = 0) -> bytes:
    return b"".join([chunk async for chunk in objects.read(location, start=start)])


async def paths(objects: ObjectStore, path: str) -> list[tuple[str, int]]:
    return sorted(
        [(each.path, each.size_bytes) async for each in objects.below(objects.location(replace(KEY, path=path)))]
    )


@pytest.mark.parametrize("content", [b"", b"x", NOISE])
async def test_what_was_stored_is_read_back(objects: ObjectStore, content: bytes) -> None:
    """As it was, at the location of its key, from any byte on."""
    location = await put(objects, KEY, content)

    assert location == objects.location(KEY)
    assert await read(objects, location) == content
    if content:
        assert await read(objects, location, start=len(content) - 1) == content[-1:]


async def test_an_object_appears_whole_or_not_at_all(objects: ObjectStore) -> None:
    """Before its sink is closed there is nothing, and an aborted one leaves nothing."""
    sink = objects.open(KEY)
    await sink.write(NOISE)
    assert await paths(objects, "") == []
    await sink.abort()

    assert await paths(objects, "") == []
    with pytest.raises(OutputMissing):
        await read(objects, objects.location(KEY))


async def test_the_last_one_stored_under_a_key_stands(objects: ObjectStore) -> None:
    """It replaces the one before."""
    await put(objects, KEY, b"first")

    assert await read(objects, await put(objects, KEY, b"second")) == b"second"


async def test_all_objects_below_a_key_are_listed(objects: ObjectStore) -> None:
    """At any depth, with paths relative to that key, and those of no other key."""
    for path in ("1-00ab/results/x", "1-00ab/results/deep/er/y", "1-00ab/results.json", "11-00ab/results/z"):
        await put(objects, replace(KEY, path=path), b"123")
    await put(objects, replace(KEY, task="Task_01"), b"")

    assert await paths(objects, "1-00ab/results/") == [("deep/er/y", 3), ("x", 3)]
    assert len(await paths(objects, "")) == 4


async def test_removing_is_harmless_when_repeated(objects: ObjectStore) -> None:
    """Only the object of the key goes."""
    await put(objects, KEY, b"1")
    other = replace(KEY, path="1-00ab/results/other")
    await put(objects, other, b"2")
    for _ in range(2):
        await objects.remove(objects.location(KEY))

    assert await paths(objects, "1-00ab/results/") == [("other", 1)]

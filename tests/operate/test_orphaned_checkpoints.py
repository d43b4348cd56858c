"""Checkpoints that nobody will restore."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from pyanamo_async.core.items import TaskState
from pyanamo_async.core.values import replace
from pyanamo_async.operate.findings import FindingKind
from pyanamo_async.operate.orphaned_checkpoints import orphaned_checkpoints
from pyanamo_async.outputs.files import FileObjects
from pyanamo_async.outputs.memory import MemoryObjects
from pyanamo_async.ports import ObjectKey, ObjectStore
from pyanamo_async.store.memory import MemoryStore
from pyanamo_async.worker.results import write_object
from tests.fakes import NOON, an_item


@pytest.fixture(params=["memory", "files"])
def objects(request: pytest.FixtureRequest, tmp_path: Path) -> ObjectStore:
    """Each store in turn."""
    return MemoryObjects() if request.param == "memory" else FileObjects(tmp_path)


async def test_only_what_nobody_will_restore_is_found(objects: ObjectStore) -> None:
    """Not that of a task that is to run or has failed; results and output are none. Removed, it is gone."""
    store = MemoryStore()
    await store.create(shards=1)
    to_do = an_item("A to do", nested=["x", "y"], mark="0000aaaa")
    done = replace(to_do.tasks[1], state=TaskState.DONE)
    await store.add([replace(to_do, tasks=(to_do.tasks[0], done))])
    table = (await store.describe()).output_namespace
    kept = [("A to do", "Task_0", "checkpoint/0000aaaa/1/1/pack"), ("gone", "Task_0", "1-0000aaaa/results/x")]
    orphans = [
        ("A to do", "Task_0", "checkpoint/1111bbbb/1/1/manifest"),
        ("A to do", "Task_1", "checkpoint/0000aaaa/1/1/manifest"),
        ("gone", "Task_0", "checkpoint/0000aaaa/3/12/pack"),
    ]
    for each in (*kept, *orphans):
        await write_object(objects, ObjectKey(table, *each), b"123", [])

    async def find(*, remove: bool = False) -> list[tuple[FindingKind, str, bool]]:
        found = orphaned_checkpoints(store, objects, older_than=timedelta(), remove=remove, now=NOON.replace(year=2999))
        return sorted([(each.kind, each.what, each.removed) async for each in found])

    places = [objects.location(ObjectKey(table, *each)).rsplit("/", 3)[0] + "/" for each in orphans]
    assert await find() == sorted((FindingKind.CHECKPOINT, f"{place} (3 bytes)", False) for place in places)
    assert await find(remove=True) == sorted((FindingKind.CHECKPOINT, f"{place} (3 bytes)", True) for place in places)
    assert await find() == []
    assert [each.path async for each in objects.of_table(table)] != []

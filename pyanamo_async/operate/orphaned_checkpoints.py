"""Find checkpoints that nobody will restore: their task is done, or gone, or belongs to another item of that name.

They are left by workers that died before they removed them, or by requests that arrived when their sender was dead.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime, timedelta

from pyanamo_async.core.checkpoints import folder_of
from pyanamo_async.core.items import TaskState
from pyanamo_async.core.object_names import CHECKPOINTS
from pyanamo_async.core.text.byte_sizes import show_size
from pyanamo_async.errors import OutputError
from pyanamo_async.operate.findings import Finding, FindingKind
from pyanamo_async.ports import ObjectKey, ObjectStore, Store, StoredObject

DEPTH = 6  # of their paths: item, task, the word, mark, attempt, sequence, and what it is
REMOVE_HINT = "`pyanamo doctor` with `remove` deletes it"
LIST_HINT = "listing takes the right s3:ListBucket"


async def orphaned_checkpoints(
    store: Store, objects: ObjectStore, *, older_than: timedelta, remove: bool, now: datetime
) -> AsyncIterator[Finding]:
    """Find orphaned checkpoints that are older than `older_than`, by task; with `remove` they are deleted.

    The whole table is read, if there are any checkpoints.
    """
    namespace = (await store.describe()).output_namespace
    try:
        found = await _by_task(objects, namespace)
    except OutputError as exc:
        yield Finding(FindingKind.UNCHECKED, exc.what, None, LIST_HINT)
        return
    if not found:
        return
    async for item in store.items():
        for task in item.tasks:
            if task.state is not TaskState.DONE:
                key = ObjectKey(namespace, item.item_id, task.name, folder_of(item.mark))
                found.pop(objects.location(key), None)
    for place, stored in found.items():
        since = max((each.since for each in stored if each.since), default=None)
        if since is not None and now - since < older_than:
            continue
        if remove:
            for each in stored:
                await objects.remove(each.location)
        size = show_size(sum(each.size_bytes for each in stored))
        yield Finding(FindingKind.CHECKPOINT, f"{place} ({size})", since, "" if remove else REMOVE_HINT, removed=remove)


async def _by_task(objects: ObjectStore, namespace: str) -> dict[str, list[StoredObject]]:
    found: dict[str, list[StoredObject]] = {}
    async for each in objects.of_table(namespace):
        parts = each.path.split("/")
        if len(parts) > DEPTH and parts[2] == CHECKPOINTS:
            inside = "/".join(parts[4:])
            found.setdefault(each.location.removesuffix(inside), []).append(each)
    return found

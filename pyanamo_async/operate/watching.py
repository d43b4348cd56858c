"""Look at a table: how far it is, what is in it, what an item printed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from pyanamo_async.core.items import Counts, Item, Output, Task
from pyanamo_async.core.progress import items_per_second, time_left
from pyanamo_async.errors import OutputMissing, UsageError
from pyanamo_async.ports import Store


@dataclass(frozen=True, slots=True)
class Status:
    """How far a table is; `time_left` is None when nothing is known or nothing is left."""

    table: str
    counts: Counts
    workers: int
    items_per_second: float
    time_left: timedelta | None


async def look(store: Store, table: str, *, now: datetime) -> Status:
    """Count items, tasks and living workers."""
    counts = await store.counts()
    living = [worker for worker in await store.workers() if not worker.gone and not worker.is_stale(now)]
    rate = items_per_second(living)
    return Status(table, counts, len(living), rate, time_left(counts, rate))


def output_of(item: Item, task: str | None, *, stderr: bool) -> Output:
    """Find the output of a task of an item, by its name or number; the only task needs no name.

    Raises:
        UsageError: there are several tasks and none was named, or none of that name.
        OutputMissing: the task has not run.
    """
    chosen = _task(item, task)
    if chosen.record is None:
        where = f"task {chosen.name} of item {item.item_id}" if item.nested else f"item {item.item_id}"
        raise OutputMissing(
            f"{where} has no output: no attempt has ended", hint=f"it is {item.state}; see `pyanamo show`"
        )
    return chosen.record.stderr if stderr else chosen.record.stdout


def _task(item: Item, name: str | None) -> Task:
    if name is None and len(item.tasks) == 1:
        return item.tasks[0]
    tasks = {task.name: task for task in item.tasks}
    wanted = f"Task_{name}" if name and name.isdigit() else name
    if wanted in tasks:
        return tasks[wanted]
    names = f"{item.tasks[0].name} to {item.tasks[-1].name}" if len(tasks) > 1 else item.tasks[0].name
    what = f"has no task {name}" if name else f"has {len(tasks)} tasks"
    raise UsageError(f"item {item.item_id} {what}", hint=f"name one of {names}, as in `pyanamo logs {item.item_id} 0`")

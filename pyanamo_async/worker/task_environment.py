"""What a script is told of its task, in its environment."""

from __future__ import annotations

import os
from collections.abc import Mapping

from pyanamo_async.core.items import Item, Task
from pyanamo_async.worker.context import TaskSettings


def task_environment(item: Item, task: Task, settings: TaskSettings, *, slot: int, place: int) -> Mapping[str, str]:
    """Return the environment of a task that runs in the place `place` of its item, whose slot is `slot`."""
    return {
        **settings.environ,
        "PYANAMO_ITEM_ID": _for_environment(item.item_id),
        "PYANAMO_SAMPLE": _for_environment(item.sample),
        "PYANAMO_TASK_ID": _for_environment(item.sample),  # as the original calls it
        "PYANAMO_TASK": _for_environment(task.name),
        "PYANAMO_ATTEMPT": str(item.attempt),
        "PYANAMO_CPUS": str(item.cpus),
        "PYANAMO_SLOT": str(slot * settings.nests + place),
    }


def _for_environment(text: str) -> str:
    """Return what reaches a script as UTF-8, whatever encoding the locale has."""
    return os.fsdecode(text.encode(errors="surrogateescape"))

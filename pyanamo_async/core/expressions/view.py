"""One task of an item, as expressions see it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import assert_never

from pyanamo_async.core.folders import CHECKPOINT_EXIT
from pyanamo_async.core.items import Item, State, Task, TaskRecord
from pyanamo_async.core.outcomes import Checkpointed, Failed, Interrupted, OutOfMemory, Succeeded, TimedOut
from pyanamo_async.core.tags import tag_lines
from pyanamo_async.core.values import Value

NOBODY: Mapping[str, str] = MappingProxyType({})
_WORKER_ID = re.compile(r"(?P<host>.+)-[0-9a-f]{8}")
_BATCH_JOB = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}.*")


class TaskView(Value):
    """A task and its item; `hosts` are the machines of workers by their ids, as far as they are known."""

    item: Item
    task: Task
    hosts: Mapping[str, str] = NOBODY

    @property
    def argument(self) -> str | None:
        """Return the argument with which the task was imported."""
        return self.item.argument(self.task)

    @property
    def record(self) -> TaskRecord | None:
        """Return the record of the last attempt that ended."""
        return self.task.record

    @property
    def exit_code(self) -> int | None:
        """Return the exit status, if the script came to an exit."""
        match None if self.record is None else self.record.outcome:
            case Succeeded():
                return 0
            case Failed(exit_code=code) | OutOfMemory(exit_code=code):
                return code
            case Checkpointed():
                return CHECKPOINT_EXIT
            case None | TimedOut() | Interrupted():
                return None
            case other:
                assert_never(other)

    @property
    def signal(self) -> int | None:
        """Return the number of the signal that ended the script, if one did."""
        outcome = self.record and self.record.outcome
        return outcome.signal if isinstance(outcome, Failed | OutOfMemory) else None

    @property
    def reason(self) -> str | None:
        """Return why the task, or else its item, did not succeed."""
        return (self.record.reason if self.record else self.item.reason) or None

    @property
    def worker(self) -> str | None:
        """Return who holds the item, or who ran the task last."""
        held = self.item.state is State.LOCKED
        return (self.item.worker if held or not self.record else self.record.worker) or None

    @property
    def host(self) -> str | None:
        """Return the machine of that worker, if it is known, or the worker's id names it."""
        return self.worker and (self.hosts.get(self.worker) or host_of(self.worker))

    @property
    def tags(self) -> tuple[str, ...] | None:
        """Return the tags of the last attempt, if there was one."""
        return tag_lines(self.record.stdout) if self.record else None

    @property
    def number_of_tags(self) -> int | None:
        """Return how many tags the last attempt printed, also those that its record has no room for."""
        return max(len(self.tags or ()), self.record.stdout.tags) if self.record else None

    @property
    def tag(self) -> tuple[str, ...] | None:
        """Return the fields of the first tag, if there is one."""
        return tuple(self.tags[0].split("\t")) if self.tags else None


def host_of(worker_id: str) -> str | None:
    """Return the machine that the id of a worker names; inside AWS Batch ids name a job instead."""
    named = _WORKER_ID.fullmatch(worker_id)
    return None if not named or _BATCH_JOB.fullmatch(named["host"]) else named["host"]

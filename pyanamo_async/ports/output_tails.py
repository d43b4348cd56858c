"""The last output of running tasks, as the table carries it from a worker to those who follow."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from pyanamo_async.core.output_tail import OutputTail, TaskRef


class OutputTails(Protocol):
    """The last output of running tasks, published while somebody subscribes to it."""

    async def follow(self, worker_id: str, task: TaskRef, *, until: datetime | None) -> None:
        """Subscribe to a task's output until then; None unsubscribes and deletes what was published.

        Raises:
            ItemMissing: the table has no such worker (not raised when unsubscribing).
        """
        ...

    async def followed(self, worker_id: str, *, now: datetime) -> Sequence[TaskRef] | None:
        """Return between heartbeats which tasks have subscribers; None where asking costs as much as a heartbeat."""
        ...

    async def publish(self, task: TaskRef, tail: OutputTail, *, now: datetime) -> bool:
        """Publish a task's latest output; return False, and write nothing, when nobody subscribes at `now`."""
        ...

    async def published(self, task: TaskRef) -> OutputTail | None:
        """Read what was published last, at first nothing; None when nobody subscribes (any more)."""
        ...

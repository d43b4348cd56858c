"""How long scripts ran in vain because of crashes and interruptions, and how much of that checkpoints saved.

The sum is a cost and no limit, so nothing resets it.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from pyanamo_async.core.items import Item, Task, TaskRecord, TaskRecords
from pyanamo_async.core.outcomes import Checkpointed, Interrupted, OutOfMemory

MOST_SECONDS = 1e9  # clocks may be wrong by more, and a row with more could not be read


def plus(lost_s: float, more_s: float) -> float:
    """Return a sum that a row can hold."""
    return min(MOST_SECONDS, round(lost_s + more_s, 3))


def interrupted_seconds(results: TaskRecords) -> float:
    """Return how long scripts ran that were interrupted, or ran out of memory."""
    lost = (result for result in results.values() if isinstance(result.outcome, Interrupted | OutOfMemory))
    return sum(result.seconds for result in lost)


def unsaved_seconds(item: Item, *, until: datetime) -> float:
    """Return how long a claim has run without a result: since it began, or since its last task ended."""
    records = (task.record for task in item.tasks)
    ends = [record.finished for record in records if record and record.attempt == item.attempt]
    since = max([*ends, item.locked_at or until])
    return max(0.0, (until - since).total_seconds())


def saved_seconds(tasks: Iterable[Task], results: TaskRecords) -> tuple[float, float]:
    """Return how long scripts had run for the checkpoints that results began from, and how much of it counts as lost.

    Each second counts once, however many attempts begin from it. A checkpoint that was taken by exiting with 85 saved
    nothing. What ran until a failure was not lost to an interruption.
    """
    saved_s = was_lost_s = 0.0
    for task in tasks:
        result = results.get(task.name)
        if result is None or not (restored := result.checkpoint.restored):
            continue
        before = task.record if task.record and task.record.attempt >= task.checkpoint_from else None
        counted_s = before.checkpoint.restored_seconds if before else 0.0
        gained_s = max(0.0, result.checkpoint.restored_seconds - counted_s)
        # the rest was gained by workers that vanished since, and left no record
        by_last_s = min(gained_s, _gained_by(before, restored, gained_s) if before else 0.0)
        outcome = before.outcome if before else None
        saved_s += gained_s - (by_last_s if isinstance(outcome, Checkpointed) else 0.0)
        was_lost_s += gained_s - (0.0 if isinstance(outcome, Interrupted | OutOfMemory) else by_last_s)
    return saved_s, was_lost_s


def _gained_by(record: TaskRecord, restored: str, gained_s: float) -> float:
    """Return how much of what was gained the attempt of a record had stored."""
    if restored.partition("/")[0] == str(record.attempt):
        return gained_s
    use = record.checkpoint
    return max(0.0, use.seconds - use.restored_seconds) if use.stored else 0.0

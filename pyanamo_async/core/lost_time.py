"""How long scripts ran in vain: what crashes and interruptions of an item cost, and what checkpoints saved of that.

The sum is a cost and no limit, so nothing resets it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime

from pyanamo_async.core.items import Item, Task, TaskRecord
from pyanamo_async.core.outcomes import Checkpointed, Interrupted, OutOfMemory

MOST_SECONDS = 1e9  # clocks may be wrong by more, and a row with more could not be read


def plus(lost_s: float, more_s: float) -> float:
    """Return a sum that a row can hold."""
    return min(MOST_SECONDS, round(lost_s + more_s, 3))


def interrupted_seconds(results: Mapping[str, TaskRecord]) -> float:
    """Return how long scripts ran that were interrupted, or ran out of memory."""
    lost = (result for result in results.values() if isinstance(result.outcome, Interrupted | OutOfMemory))
    return sum(result.seconds for result in lost)


def unsaved_seconds(item: Item, *, until: datetime) -> float:
    """Return how long a claim had run without a result: since it began, or since its last task that ended."""
    records = (task.record for task in item.tasks)
    ends = [record.finished for record in records if record and record.attempt == item.attempt]
    since = max([*ends, item.locked_at or until])
    return max(0.0, (until - since).total_seconds())


def saved_seconds(tasks: Iterable[Task], results: Mapping[str, TaskRecord]) -> tuple[float, float]:
    """Return how long scripts had run for the checkpoints that results began from, and how much of it counts as lost.

    Each checkpoint counts once, however many attempts begin from it; one that ended its attempt saved nothing. What ran
    until a failure was not lost to an interruption.
    """
    saved_s = was_lost_s = 0.0
    for task in tasks:
        result, before = results.get(task.name), task.record
        if result is None or not (restored := result.checkpoint.restored):
            continue
        known = before is not None and restored.partition("/")[0] == str(before.attempt)
        if before is not None and (
            before.checkpoint.restored == restored or (known and isinstance(before.outcome, Checkpointed))
        ):
            continue
        saved_s += result.checkpoint.restored_seconds
        if not known or (before is not None and isinstance(before.outcome, Interrupted | OutOfMemory)):
            was_lost_s += result.checkpoint.restored_seconds
    return saved_s, was_lost_s

"""How long scripts ran in vain: what crashes and interruptions of an item cost.

The sum is a cost and no limit, so nothing resets it.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from pyanamo_async.core.items import Item, TaskRecord
from pyanamo_async.core.outcomes import Interrupted, OutOfMemory

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

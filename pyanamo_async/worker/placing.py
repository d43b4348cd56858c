"""Place the item that an attempt leaves in a lane of the queue whose workers can run it.

What the table and the other workers say is asked only when it matters: when the item has lost its machine, or ran out
of memory with all that this worker may use.
"""

from __future__ import annotations

import asyncio

from pyanamo_async.core.items import Item
from pyanamo_async.core.memory.placing import placed
from pyanamo_async.core.queue_lanes import left_to_last_attempts
from pyanamo_async.fleet.membership import largest_living_budget
from pyanamo_async.worker.context import AttemptContext


async def place(before: Item, after: Item, context: AttemptContext, *, was_alone: bool, give_up: asyncio.Event) -> Item:
    """Return an item, as claimed and as settled, where it is to wait; raises as `StoreCalls.call` does."""
    store, tasks, clock = context.adapters.store, context.tasks, context.runtime.clock
    largest_bytes = None
    if was_alone and after.oom_kills > before.oom_kills:
        largest_bytes = await context.calls.call(lambda: largest_living_budget(store, now=clock.now()), give_up=give_up)
    after = placed(
        before, after, tasks.budget_bytes, nests=tasks.nests, was_alone=was_alone, largest_bytes=largest_bytes
    )
    if after.evictions > before.evictions:
        after = left_to_last_attempts(after, await context.calls.call(store.last_attempts_after, give_up=give_up))
    return after

"""Decide which items wait for a larger worker.

1. An item whose known need is beyond a worker's largest class goes to the class of its need. That worker does not see
   it again.
2. One that ran out of memory beside others is tried alone first, with all that the worker may use: it may fit.
3. A nested item is too large when one of its tasks is: several that are too large together run alone on the worker. If
   memory runs out even so, the item goes one class beyond the worker's.
4. Twice what a task had may be more than any worker has. Then its item asks for what the largest living worker takes,
   if that takes more than this one.
5. Only what is known of the item itself counts, not what its step has shown: no item is left to others because of a
   guess.
"""

from __future__ import annotations

from pyanamo_async.core.items import CLAIMABLE, Item, State
from pyanamo_async.core.memory.classes import class_above, class_beyond, class_of, largest_class
from pyanamo_async.core.memory.needs import known_need_bytes, tasks_at_once
from pyanamo_async.core.reasons import with_reason
from pyanamo_async.core.text.byte_sizes import GIB, show_size
from pyanamo_async.core.transitions import release_unused
from pyanamo_async.core.values import replace


def placed(
    before: Item,
    after: Item,
    budget_bytes: int | None,
    *,
    nests: int,
    was_alone: bool,
    largest_bytes: int | None = None,
) -> Item:
    """Return an item as an attempt leaves it, in the lane of the class that it needs if this worker is too small.

    `before` is the item as claimed; the worker runs `nests` of its tasks at a time. The largest living worker may use
    `largest_bytes` of memory, if that is known.
    """
    if budget_bytes is None or after.state not in CLAIMABLE:
        return after
    at_once, ran_out = tasks_at_once(before, nests), after.oom_kills > before.oom_kills
    if ran_out and not was_alone:
        alone = budget_bytes // at_once
        after = replace(after, memory_need_bytes=max(before.memory_need_bytes, min(after.memory_need_bytes, alone)))
    elif ran_out and largest_bytes is not None:
        after = _within_largest(after, budget_bytes, largest_bytes)
    beyond = class_beyond(known_need_bytes(after), budget_bytes)
    if ran_out and was_alone and at_once > 1:
        beyond = max(beyond, class_above(budget_bytes))
    if beyond <= after.memory_class:
        return after
    return replace(after, memory_class=beyond, state=State.TODO, done_at=None)


def _within_largest(item: Item, budget_bytes: int, largest_bytes: int) -> Item:
    """Return an item that asks for no more than the largest worker takes, if that takes more than this one."""
    most = largest_class(largest_bytes)
    if not largest_class(budget_bytes) < most < class_of(item.memory_need_bytes):
        return item
    return replace(item, memory_need_bytes=min(largest_bytes, most * GIB))


def too_large(item: Item, *, budget_bytes: int | None, largest_class: int) -> Item | None:
    """Return an item that a worker claimed and is too small for, as it is put back; None if it may run it."""
    need_bytes = known_need_bytes(item)
    memory_class = max(item.memory_class, class_beyond(need_bytes, budget_bytes))
    if memory_class <= largest_class:
        return None
    back = replace(release_unused(item), memory_class=memory_class)
    return with_reason(back, f"it needs {show_size(need_bytes)} of memory, so that it waits for a larger worker")

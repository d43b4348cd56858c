"""Decide what an order of a person makes of an item.

1. An order that finds nothing to do returns the item as it is, so that it can be repeated.
2. Each order has a token, which it leaves in the item: of two at once one is fenced.
3. What is changed is an item that no worker holds.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from pyanamo_async.core.holding import unhold
from pyanamo_async.core.items import CLAIMABLE, Held, Item, State, Task, TaskState
from pyanamo_async.core.reasons import with_reason
from pyanamo_async.core.transitions import finish
from pyanamo_async.core.values import replace


def reset(
    item: Item,
    *,
    all_tasks: bool = False,
    tasks: Collection[str] | None = None,
    clear: bool = False,
    token: str = "",
    why: str = "",
) -> Item:
    """Put an item back to run its tasks again, as if they had never run: those that are not done, or all of them.

    With `tasks` only those of these names, while the others keep their state. The attempt number, the records and the
    history stay; `why` becomes the latest reason. `token` tells this order from others at the same time. An item that
    is held comes back only with `all_tasks`. A task that did not succeed goes on from its checkpoint, unless `clear`.
    One in which there is nothing to put back is returned as it is.
    """
    if item.state is State.PENDING and not all_tasks:
        return item
    chosen = {
        task.name
        for task in item.tasks
        if (tasks is None or task.name in tasks) and (all_tasks or task.state is not TaskState.DONE)
    }
    if not chosen:
        return item
    before = unhold(item)
    fresh_tasks = tuple(_fresh(task, item, clear=clear) if task.name in chosen else task for task in item.tasks)
    fresh = _put_back(replace(before, tasks=fresh_tasks))
    if fresh == item:
        return item
    freed = replace(fresh, token=token, worker="", locked_at=None)
    return with_reason(freed, why) if why else freed


def _fresh(task: Task, item: Item, *, clear: bool) -> Task:
    """Return a task that is to run as if it never had; one that was done starts over, as with `clear`."""
    starts_over = clear or task.state is TaskState.DONE
    since = item.attempt + 1 if starts_over and item.attempt else task.checkpoint_from
    return replace(task, state=TaskState.TODO, attempts=0, failures=0, checkpoint_from=since)


def drop_tasks(item: Item, tasks: Collection[str], *, now: datetime, token: str) -> Item | None:
    """Delete the tasks of these names; None when none would be left, so that the item goes with them."""
    kept = tuple(task for task in item.tasks if task.name not in tasks)
    if not kept:
        return None
    if len(kept) == len(item.tasks):
        return item
    return restate(replace(item, tasks=kept, token=token), now=now)


def restate(item: Item, *, now: datetime) -> Item:
    """Return an item whose tasks were changed in the state that follows from them; one that is held stays so."""
    if item.state is State.PENDING:
        within = restate(unhold(item), now=now)
        if within.state is State.DONE:
            return within
        was = item.held or Held(reason=item.reason)
        return replace(item, held=Held(within.state, within.not_before, within.done_at, was.reason))
    if not item.todo:
        is_done = all(task.state is TaskState.DONE for task in item.tasks)
        return item if item.state is (State.DONE if is_done else State.FAILED) else finish(item, {}, now)
    if item.state in CLAIMABLE:
        return item
    return _put_back(item)


def _put_back(item: Item) -> Item:
    """Return an item that is claimable now, with all that a person forgives it."""
    return replace(
        item,
        state=State.TODO,
        done_at=None,
        not_before=None,
        crashes=0,
        interruptions=0,
        wall_time_kills=0,
        oom_kills=0,
        evictions=0,
        last_attempts=False,
    )

"""Change what items are: their limits, what they need, their priority, their scripts.

1. Each item keeps its state, as far as its tasks allow.
2. A task whose script changes is to run again, and its record goes: it was another script's.
3. Tasks of a file are told apart by their scripts: one that is there already keeps its state and its record.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Collection
from datetime import datetime, timedelta

from pyanamo_async.core.arguments import check_fields
from pyanamo_async.core.items import Item, State, Task
from pyanamo_async.core.orders import restate
from pyanamo_async.core.reasons import with_reason
from pyanamo_async.core.taskfile.lines import InvalidLine
from pyanamo_async.core.taskfile.row import CPUS, FAILURES, MEMORY, PRIORITIES, check_script
from pyanamo_async.core.values import Value, replace
from pyanamo_async.errors import UsageError

EDITABLE = "`priority`, `max_failures`, `timeout`, `memory_bytes`, `cpus` or `script`"


class Edits(Value):
    """What to change about items; None leaves it as it is.

    `memory_bytes` also replaces what an item was found to need. `forget_memory` takes both away, so that
    its worker goes by what other tasks used.
    """

    priority: int | None = None
    max_failures: int | None = None
    timeout: timedelta | None = None
    memory_bytes: int | None = None
    cpus: int | None = None
    script: str | None = None
    forget_memory: bool = False

    @property
    def sets_memory(self) -> bool:
        """Return whether what the item needs of memory is no longer what it was."""
        return self.forget_memory or self.memory_bytes is not None


def check_edits(edits: Edits) -> None:
    """Check what people ask for.

    Raises:
        UsageError: nothing is to be changed, or a value is invalid.
    """
    if edits == Edits():
        raise UsageError("nothing is to be set", hint=f"give {EDITABLE}")
    check_fields(edits)
    for name, value, allowed in (
        ("priority", edits.priority, PRIORITIES),
        ("max_failures", edits.max_failures, FAILURES),
        ("cpus", edits.cpus, CPUS),
    ):
        if value is not None and value not in allowed:
            raise UsageError(f"`{name}` is {value}", hint=f"give {allowed[0]} to {allowed[-1]}")
    if edits.forget_memory and edits.memory_bytes is not None:
        raise UsageError("`memory_bytes` and `forget_memory` contradict each other", hint="leave out one")
    if edits.memory_bytes is not None and edits.memory_bytes not in MEMORY:
        raise UsageError(f"`memory_bytes` is {edits.memory_bytes}", hint="give a size from 1 MiB to 1 PiB, as 4G")
    if edits.timeout == timedelta():
        raise UsageError("`timeout` is zero", hint="give a duration such as 90m")
    if edits.script is not None:
        try:
            check_script(edits.script, "")
        except InvalidLine as error:
            raise UsageError(f"`script`: {error}") from None


def edit(item: Item, tasks: Collection[str], edits: Edits, *, now: datetime, token: str, why: str = "") -> Item:
    """Change limits, needs, the priority, or the script of the tasks of these names; `why` becomes the reason."""
    script = edits.script
    after = replace(
        item,
        priority=item.priority if edits.priority is None else edits.priority,
        max_failures=item.max_failures if edits.max_failures is None else edits.max_failures,
        timeout=item.timeout if edits.timeout is None else edits.timeout,
        memory_bytes=edits.memory_bytes if edits.sets_memory else item.memory_bytes,
        memory_need_bytes=0 if edits.sets_memory else item.memory_need_bytes,
        memory_class=0 if edits.sets_memory else item.memory_class,
        cpus=item.cpus if edits.cpus is None else edits.cpus,
        tasks=tuple(
            task
            if script in (None, task.script) or task.name not in tasks
            else Task(task.name, script or "", checkpoint_from=_next(item))
            for task in item.tasks
        ),
    )
    if len({task.script[: item.args_at] for task in after.tasks}) > 1:
        after = replace(after, args_at=0)  # the new script does not begin as the others do
    if after == item:
        return item
    changed = _restated(item, replace(after, token=token), now)
    return with_reason(changed, why) if why else changed


def update(stored: Item, wanted: Item, *, now: datetime, token: str) -> Item:
    """Return a stored item as a file has it now; what nothing has changed of is returned as it is.

    Tasks keep state and record when their script is the same, also under another name; new ones are to run, others go.
    """
    known: defaultdict[str, deque[Task]] = defaultdict(deque)
    for task in stored.tasks:
        known[task.script].append(task)
    needs_as_before = wanted.memory_bytes == stored.memory_bytes
    after = replace(
        stored,
        sample=wanted.sample,
        nested=wanted.nested,
        args_at=wanted.args_at,
        tasks=tuple(_like(known[task.script], task, since=_next(stored)) for task in wanted.tasks),
        priority=wanted.priority,
        max_failures=wanted.max_failures,
        timeout=wanted.timeout,
        memory_bytes=wanted.memory_bytes,
        memory_need_bytes=stored.memory_need_bytes if needs_as_before else 0,
        memory_class=stored.memory_class if needs_as_before else 0,
        cpus=wanted.cpus,
        folders=wanted.folders,
    )
    if after == stored:
        return stored
    is_new = any(task.record is None and not task.attempts for task in after.todo)
    not_before = None if is_new else stored.not_before
    return _restated(stored, replace(after, token=token, not_before=not_before), now)


def _restated(before: Item, after: Item, now: datetime) -> Item:
    """Return a changed item in its state, without the reason that a memory class gave which it no longer has."""
    changed = restate(after, now=now)
    left_class = before.memory_class and not after.memory_class and changed.state is State.TODO
    return with_reason(changed, "") if left_class else changed


def _next(item: Item) -> int:
    """Return the attempt from which on a task that changed has checkpoints; 0 if there was none before."""
    return item.attempt + 1 if item.attempt else 0


def _like(known: deque[Task], wanted: Task, *, since: int) -> Task:
    """Return a task that has the same script, under the wanted name, and use it up; else the wanted one.

    Checkpoints are stored by name: under another one there are those of another script.
    """
    if not known:
        return replace(wanted, checkpoint_from=since)
    same_name = next((task for task in known if task.name == wanted.name), known[0])
    known.remove(same_name)
    if same_name.name == wanted.name:
        return same_name
    return replace(same_name, name=wanted.name, checkpoint_from=since)

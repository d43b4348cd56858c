"""Rows to export: one for each task, whatever its state, with the fields of its record and of its tags.

1. Tags of tasks that are done have columns; what a failed attempt printed is no result.
2. With names, a task that is done has one tag, which fits; `wide` allows several. Without names, several always have
   columns. What does not fit is a misfit of the task, whose row has no value there.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from typing import Any, NamedTuple

from pyanamo_async.core.expressions.view import TaskView
from pyanamo_async.core.items import Item, TaskState
from pyanamo_async.core.selection import Selection
from pyanamo_async.core.stored.task_record import encode_record
from pyanamo_async.core.tags import Misfit
from pyanamo_async.core.text.plural import plural
from pyanamo_async.operate.logs import LogReader
from pyanamo_async.operate.results import Columns, fitting, in_one_row, missing_tags
from pyanamo_async.operate.selecting import select_items, with_hosts
from pyanamo_async.operate.tagged_tasks import TaggedTask, tagged_tasks
from pyanamo_async.ports import Store

Row = dict[str, Any]

FIXED: dict[str, type] = {
    "taskID": str,
    "itemID": str,
    "Task": str,
    "Argument": str,
    "ItemState": str,
    "TaskState": str,
    "Failures": int,
    "Attempt": int,
    "Status": str,
    "Exit_Code": int,
    "Signal": int,
    "Reason": str,
    "Started": str,
    "Finished": str,
    "Seconds": float,
    "CPU_Seconds": float,
    "Max_RSS": int,
    "Max_RSS_By": str,
    "stdout_bytes": int,
    "stderr_bytes": int,
    "stdout_at": str,
    "stderr_at": str,
    "Worker": str,
}
"""The columns before those of tags, and what they hold; any may be missing but the first six."""
TIMES = ("Started", "Finished")


class Exported(NamedTuple):
    """The row of a task, and what did not fit into it."""

    row: Row
    misfits: Sequence[Misfit]


async def export_rows(
    store: Store,
    reader: LogReader,
    selection: Selection,
    columns: Columns,
    *,
    wide: bool,
    is_known: Callable[[Row], bool] = lambda _: False,
    meet: Callable[[Item], None] = lambda _: None,
) -> AsyncIterator[Exported]:
    """Yield the rows of the selected tasks, in no order, without those that `is_known` knows by their fixed columns.

    `meet` is told of each item before the rows of its tasks come.
    """
    selection = await with_hosts(store, selection)

    def views(item: Item) -> Iterator[TaskView]:
        meet(item)
        return (view for view in selection.matching_views(item) if not is_known(own_row(view)))

    async for tagged in tagged_tasks(select_items(store, selection), views, reader, has_tags=_is_done):
        misfits: list[Misfit] = [*missing_tags(tagged, columns)]
        row = own_row(tagged.view) | _tags(tagged, columns, wide or columns is None, misfits.append)
        yield Exported(row, misfits)


def own_row(view: TaskView) -> Row:
    """Return the fixed columns of a task."""
    record = view.record
    known: Row = {
        "taskID": view.item.sample,
        "itemID": view.item.item_id,
        "Task": view.task.name,
        "Argument": view.argument,
        "ItemState": str(view.item.state),
        "TaskState": str(view.task.state),
        "Failures": view.task.failures,
        "Reason": view.reason,
    }
    if record:
        known |= {"stdout_bytes": 0, "stderr_bytes": 0} | encode_record(record)
    return {name: known.get(name) for name in FIXED}


def _is_done(view: TaskView) -> bool:
    return view.task.state is TaskState.DONE


def _tags(tagged: TaggedTask, columns: Columns, several: bool, on_misfit: Callable[[Misfit], None]) -> Row:
    if len(tagged.tags) > 1 and not several:
        view = tagged.view
        on_misfit(Misfit(view.item.item_id, view.task.name, 0, "", plural(len(tagged.tags), "tag")))
        return {}
    return in_one_row(tagged, fitting(tagged, columns, on_misfit), on_misfit)

"""Results of tasks as rows: what their tags say, under names and with types.

A row has the columns `FIXED`, then those of the tag. A task is meant if its selection means it; unless that speaks of
states or is an expression, only tasks that are done are: what a failed attempt printed is no result.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence

from pyanamo_async.core.expressions.view import TaskView
from pyanamo_async.core.items import Item, TaskState
from pyanamo_async.core.selection import Selection
from pyanamo_async.core.tags import Cell, Misfit, TagColumn, Unfit, column_order, on_line, tag_values
from pyanamo_async.core.text.plural import plural
from pyanamo_async.errors import UsageError
from pyanamo_async.operate.logs import LogReader
from pyanamo_async.operate.row_files import with_same_columns
from pyanamo_async.operate.selecting import select_items, with_hosts
from pyanamo_async.operate.tagged_tasks import TaggedTask, tagged_tasks
from pyanamo_async.ports import Store

FIXED = ("taskID", "itemID", "Task", "Argument")
DONE_TASKS = Selection(where='task_state == "done"')
MOST_LINES = 100  # of tags that have columns in one row

Columns = Sequence[TagColumn] | None
OnMisfit = Callable[[Misfit], None]


async def results(
    store: Store,
    reader: LogReader,
    selection: Selection,
    columns: Columns,
    *,
    wide: bool,
    same_columns: bool,
    on_misfit: OnMisfit,
) -> AsyncIterator[dict[str, Cell]]:
    """Yield a row for each tag, or with `wide` for each task that has any.

    With `same_columns` all rows have the same, and none comes before the last tag is read, unless names tell.
    """
    rows = _rows(store, reader, selection, columns, wide=wide, on_misfit=on_misfit)
    if same_columns and (wide or columns is None):
        rows = with_same_columns(rows, dict.fromkeys(FIXED), column_order(columns))
    async for row in rows:
        yield row


async def _rows(
    store: Store, reader: LogReader, selection: Selection, columns: Columns, *, wide: bool, on_misfit: OnMisfit
) -> AsyncIterator[dict[str, Cell]]:
    selection = await with_hosts(store, selection)
    views = meant(selection)
    async for tagged in tagged_tasks(select_items(store, selection), views, reader):
        for misfit in missing_tags(tagged, columns):
            on_misfit(misfit)
        own = _own(tagged.view)
        values = fitting(tagged, columns, on_misfit)
        if not wide:
            for each in values:
                yield own | each
        elif together := in_one_row(tagged, values, on_misfit):
            yield own | together


def meant(selection: Selection) -> Callable[[Item], Iterable[TaskView]]:
    """Return what returns the tasks of an item whose results a selection means."""
    if selection.all or selection.states is not None or selection.where is not None:
        return selection.matching_views
    return lambda item: [view for view in selection.matching_views(item) if view.task.state is TaskState.DONE]


def missing_tags(tagged: TaggedTask, columns: Columns) -> Iterator[Misfit]:
    """Yield what is wrong with a task as a whole: tags that cannot be read, or none although names are given."""
    view, problem = tagged.view, tagged.problem
    if not problem and columns is not None and not tagged.tags and view.task.state is TaskState.DONE:
        problem = "no tag"
    if problem:
        yield Misfit(view.item.item_id, view.task.name, 0, "", problem)


def fitting(tagged: TaggedTask, columns: Columns, on_misfit: OnMisfit) -> Iterator[dict[str, Cell]]:
    """Yield the values of each tag of a task that fits."""
    for line, tag in enumerate(tagged.tags, start=1):
        try:
            yield tag_values(tag, columns)
        except Unfit as unfit:
            on_misfit(Misfit(tagged.view.item.item_id, tagged.view.task.name, line, tag, str(unfit)))


def in_one_row(tagged: TaggedTask, values: Iterable[dict[str, Cell]], on_misfit: OnMisfit) -> dict[str, Cell]:
    """Return the values of all tags of a task in one row."""
    row: dict[str, Cell] = {}
    for line, each in enumerate(values, start=1):
        if line > MOST_LINES:
            why = f"{plural(len(tagged.tags), 'tag')}, and at most {MOST_LINES} have columns"
            on_misfit(Misfit(tagged.view.item.item_id, tagged.view.task.name, 0, "", why))
            break
        row |= on_line(each, line)
    return row


def refuse(misfit: Misfit) -> None:
    """Raise `UsageError` for a misfit: what becomes of them where nobody takes them."""
    raise UsageError(f"a result does not fit: {misfit}", hint="give `on_misfit`, which takes such results")


def _own(view: TaskView) -> dict[str, Cell]:
    return dict(zip(FIXED, (view.item.sample, view.item.item_id, view.task.name, view.argument), strict=True))

"""Which items, and which of their tasks, a person means.

1. A selection that names nothing is an error: everything is meant only by `all`, and an empty value never means all.
2. An item matches if it has everything that is named of items, and one of its tasks what is named of tasks.
3. A store may find items by what its index knows; what it finds is asked again here, with the item as it is now.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from pyanamo_async.core.arguments import check_type
from pyanamo_async.core.expressions.parser import Expression, parse_expression
from pyanamo_async.core.expressions.view import TaskView
from pyanamo_async.core.items import Item, State, Task
from pyanamo_async.core.names import LONGEST_SHOWN, did_you_mean
from pyanamo_async.errors import UsageError

CRITERIA = ("ids", "states", "sample", "worker", "task", "where", "all")
_STATES = {state.casefold(): state for state in State}
_MOST_NAMED = 5


class CheckedIds(Collection[str]):
    """Ids that are no arguments any more: each is text, once, and none is empty. There may be very many."""


@dataclass(frozen=True, kw_only=True)
class Selection:
    """Items and tasks, by what they have in common; several criteria must all be met.

    `states` are states of items, in any case; `worker` holds the item or ran the task last; `task` is a name like
    `Task_3`, its number, or an argument; `where` is an expression, evaluated for each task. `limit` is the most
    items that are wanted: whoever reads items stops there, `matches` knows nothing of it. `hosts` are the machines of
    workers by their ids; whoever reads a table fills them in. Ids that the table does not have go to `on_missing`, once
    the others were read; without it they are an `ItemMissing`.

    Raises:
        UsageError: nothing is named, a value is empty or invalid, or `all` stands beside a criterion. Later, when an
            item is asked of which `task` is the number of one task and the argument of another.
    """

    ids: Collection[str] | None = None
    states: Collection[str] | None = None
    sample: str | None = None
    worker: str | None = None
    task: str | None = None
    where: str | None = None
    limit: int | None = None
    all: bool = False
    hosts: Mapping[str, str] = field(default_factory=dict, repr=False, compare=False)
    on_missing: Callable[[Sequence[str]], None] | None = field(default=None, repr=False, compare=False)

    def __post_init__(self) -> None:
        for name in ("ids", "states"):
            object.__setattr__(self, name, _texts(name, getattr(self, name)))
        for name in ("sample", "worker", "task", "where"):
            _check_text(name, getattr(self, name))
        check_type("limit", self.limit, int | None)
        check_type("all", self.all, bool)
        if self.limit is not None and self.limit < 0:
            raise UsageError(f"`limit` is {self.limit}", hint="give 0 or more")
        named = [name for name in CRITERIA[:-1] if getattr(self, name) is not None]
        if self.all and named:
            raise UsageError(f"`all` and `{named[0]}` exclude each other", hint="give one of them")
        if not self.all and not named:
            raise UsageError("nothing is selected", hint=f"give {', '.join(f'`{name}`' for name in CRITERIA)}")
        if self.states is not None:
            object.__setattr__(self, "states", tuple(dict.fromkeys(map(_state, self.states))))
        _ = self.expression  # an invalid one is an error now

    @cached_property
    def expression(self) -> Expression | None:
        """Return what `where` means."""
        return None if self.where is None else parse_expression(self.where)

    @property
    def names_tasks(self) -> bool:
        """Return whether something is named of tasks: then the items must be read whole."""
        return any(each is not None for each in (self.worker, self.task, self.where))

    @property
    def needs_whole_table(self) -> bool:
        """Return whether every item must be read to find those that are meant."""
        return self.names_tasks and self.ids is None and self.states is None

    def matches(self, item: Item) -> bool:
        """Return whether an item is meant: it, and at least one of its tasks."""
        return bool(self.matching_views(item))

    def matching_tasks(self, item: Item) -> tuple[Task, ...]:
        """Return the tasks of an item that are meant: none if the item is not."""
        return tuple([view.task for view in self.matching_views(item)])

    def matching_views(self, item: Item) -> tuple[TaskView, ...]:
        """Return the tasks of an item that are meant, as expressions see them."""
        if not self._has_item(item):
            return ()
        tasks = item.tasks if self.task is None else _named(item, self.task)
        return tuple([view for task in tasks if self._has_task(view := TaskView(item, task, self.hosts))])

    @cached_property
    def _ids(self) -> Collection[str]:
        return self.ids if isinstance(self.ids, CheckedIds) else frozenset(self.ids or ())

    def _has_item(self, item: Item) -> bool:
        return (
            (self.ids is None or item.item_id in self._ids)
            and (self.states is None or item.state in self.states)
            and self.sample in (None, item.sample)
        )

    def _has_task(self, view: TaskView) -> bool:
        return (self.worker is None or view.worker == self.worker) and (
            self.expression is None or self.expression.matches(view)
        )


def tasks_called(item: Item, name: str) -> list[Task]:
    """Return the task of a name, or else those of which it is the number or the argument."""
    exact = [task for task in item.tasks if task.name.casefold() == name.casefold()]
    by_number = _by_number(name)
    return exact or [task for task in item.tasks if by_number == task.name or TaskView(item, task).argument == name]


def _named(item: Item, name: str) -> list[Task]:
    """Return the tasks that are called so, unless it is the number of one and the argument of another."""
    found, number = tasks_called(item, name), _by_number(name)
    if len(found) > 1 and any(task.name == number for task in found):
        what = f"several tasks of item {item.item_id} may be meant by {name}, as a number or an argument"
        raise UsageError(what, hint=f"name one of {', '.join(task.name for task in found[:_MOST_NAMED])}")
    return found


def _by_number(name: str) -> str:
    return f"Task_{int(name)}" if name.isascii() and name.isdigit() else ""


def _texts(name: str, values: Iterable[str] | None) -> Collection[str] | None:
    """Return several texts, each once."""
    if values is None or (isinstance(values, CheckedIds) and values):
        return values
    if isinstance(values, str) or not isinstance(values, Iterable):
        raise UsageError(f"`{name}` is {values!r}", hint="give a list of texts")
    several = tuple(dict.fromkeys(values))
    if not several:
        raise UsageError(f"`{name}` is empty", hint=f"leave `{name}` out, or give `all` for everything")
    for value in several:
        _check_text(name, value)
    return several


def _check_text(name: str, value: str | None) -> None:
    check_type(name, value, str | None)
    if value is not None and not value.strip():
        raise UsageError(f"`{name}` is empty", hint=f"leave `{name}` out, or give `all` for everything")


def _state(text: str) -> State:
    try:
        return _STATES[text.casefold()]
    except KeyError:
        if text.casefold() == "retrying":
            raise UsageError(
                "`states` has 'retrying', which is part of todo", hint="todo has those that retry, too"
            ) from None
        hint = f"{did_you_mean(text, _STATES)}the states are {', '.join(State)}"
        raise UsageError(f"`states` has {text[:LONGEST_SHOWN]!r}, which is no state", hint=hint) from None

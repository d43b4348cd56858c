"""How many items and tasks of a table are in which state, and how far nested items are."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from itertools import zip_longest
from math import fsum
from types import MappingProxyType
from typing import Self

from msgspec.structs import asdict, astuple

from pyanamo_async.core.items import SETTLED, UNFINISHED, Item, State, TaskState
from pyanamo_async.core.values import Value


class Quarter(StrEnum):
    """How far a nested item is: none of its tasks is done, so many percent of them, or all."""

    TODO = "todo"
    FIRST = "1-25"
    SECOND = "26-50"
    THIRD = "51-75"
    LAST = "76-99"
    DONE = "done"


QUARTERS = tuple(Quarter)
NONE_NESTED = (0,) * len(QUARTERS)


def quarter(done: int, tasks: int) -> Quarter:
    """Return how far a nested item is; percent are whole ones, and any that is done is at least one."""
    if done <= 0:
        return Quarter.TODO
    return Quarter.DONE if done >= tasks else QUARTERS[1 + (max(1, 100 * done // tasks) - 1) // 25]


class Ledgers(Value):
    """What crashes and interruptions cost, and what checkpoints saved of that.

    Seconds are how long scripts ran. CPU seconds are the same times the CPUs that their item asks for, whether it used
    them or waited: others could not have them, and they are what is paid for.
    """

    crashes: int = 0
    interruptions: int = 0
    seconds_lost: float = 0.0
    seconds_saved: float = 0.0
    cpu_seconds_lost: float = 0.0
    cpu_seconds_saved: float = 0.0

    def by_name(self) -> dict[str, float]:
        """Return them by their names."""
        return asdict(self)

    @classmethod
    def of(cls, crashes: int, interruptions: int, lost_s: float, saved_s: float, *, cpus: int) -> Self:
        """Return those of one item, whose seconds are not multiplied yet."""
        return cls(crashes, interruptions, lost_s, saved_s, lost_s * cpus, saved_s * cpus)

    @classmethod
    def of_item(cls, item: Item) -> Self:
        """Return those of an item."""
        return cls.of(item.crashes, item.interruptions, item.seconds_lost, item.seconds_saved, cpus=item.cpus)

    @classmethod
    def total(cls, parts: Iterable[Ledgers]) -> Self:
        """Return the sum of parts, to the millisecond."""
        crashes, interruptions, *seconds = zip(astuple(cls()), *map(astuple, parts), strict=True)
        return cls(sum(crashes), sum(interruptions), *(round(fsum(each), 3) for each in seconds))


class Counted(Value):
    """Items of one state that were counted together.

    `tasks` of them and how many are done, how many wait for a retry, nested ones in the order of `QUARTERS`, how many
    were settled since each of the times that were asked for, and their ledgers.
    """

    state: State
    items: int
    tasks: int
    tasks_done: int
    retrying: int = 0
    nested: tuple[int, ...] = NONE_NESTED
    settled_since: tuple[int, ...] = ()
    ledgers: Ledgers = Ledgers()


class Counts(Value):
    """How many items and tasks are in each state.

    `retrying` of the items in `todo` failed, and wait to be tried again. `tasks_left` are tasks to do of items that are
    `UNFINISHED`. `nested` counts nested items by how far they are, `settled_since` items that are done or failed since
    each of the times that were asked for. The `ledgers` are those of all items.
    """

    items: dict[State, int]
    tasks: dict[TaskState, int]
    retrying: int = 0
    tasks_left: int = 0
    nested: Mapping[Quarter, int] = MappingProxyType(dict.fromkeys(Quarter, 0))
    settled_since: tuple[int, ...] = ()
    ledgers: Ledgers = Ledgers()

    @classmethod
    def add_up(cls, parts: Iterable[Counted], *, times: int = 0) -> Self:
        """Return the sum of parts, which have so many `times` since which settled items were counted."""
        items, tasks, nested = dict.fromkeys(State, 0), dict.fromkeys(TaskState, 0), dict.fromkeys(Quarter, 0)
        retrying = left = 0
        lost: list[Ledgers] = []
        settled: tuple[int, ...] = (0,) * times
        for part in parts:
            to_do = part.tasks - part.tasks_done
            items[part.state] += part.items
            tasks[TaskState.DONE] += part.tasks_done
            tasks[TaskState.FAILED if part.state is State.FAILED else TaskState.TODO] += to_do
            retrying += part.retrying
            left += to_do if part.state in UNFINISHED else 0
            for how_far, count in zip(QUARTERS, part.nested, strict=True):
                nested[how_far] += count
            settled = tuple(map(sum, zip_longest(settled, part.settled_since, fillvalue=0)))
            lost.append(part.ledgers)
        return cls(items, tasks, retrying, left, nested, settled, Ledgers.total(lost))

    @property
    def total(self) -> int:
        """Return how many items there are."""
        return sum(self.items.values())

    @property
    def left(self) -> int:
        """Return how many items will run, or run: not those that are settled or held."""
        return sum(self.items.get(state, 0) for state in UNFINISHED)

    @property
    def total_nested(self) -> int:
        """Return how many items are nested."""
        return sum(self.nested.values())

    @property
    def settled(self) -> int:
        """Return how many items are done or failed."""
        return self.items.get(State.DONE, 0) + self.items.get(State.FAILED, 0)


def moved(counts: Counts, *, before: Counts, after: Counts) -> Counts:
    """Return a count of everything, brought up to date by two counts of what moves.

    `before` was taken with `counts`, `after` later and since the same time: `ItemReader.moving_counts`. What is in
    neither is in `todo`.
    """
    items = {state: max(0, counts.items[state] + after.items[state] - before.items[state]) for state in State}
    items[State.TODO] = max(0, counts.total - sum(number for state, number in items.items() if state is not State.TODO))
    tasks = {each: max(0, counts.tasks[each] + after.tasks[each] - before.tasks[each]) for each in TaskState}
    total, ended = sum(counts.tasks.values()), tasks[TaskState.DONE] + tasks[TaskState.FAILED]
    tasks[TaskState.TODO] = max(0, total - ended)
    nested = {each: max(0, counts.nested[each] + after.nested[each] - before.nested[each]) for each in Quarter}
    nested[Quarter.TODO] = max(0, counts.total_nested - sum(list(nested.values())[1:]))
    newly = after.settled - before.settled
    return Counts(
        items,
        tasks,
        min(counts.retrying, items[State.TODO]),
        max(0, counts.tasks_left + tasks[TaskState.TODO] - counts.tasks[TaskState.TODO]),
        nested,
        tuple(max(0, each + newly) for each in counts.settled_since),
        counts.ledgers,
    )


def count(items: Iterable[Item], *, since: Sequence[datetime] = ()) -> Counts:
    """Count items; those that are done or failed, since each of these times, too."""
    return Counts.add_up((_counted(item, since) for item in items), times=len(since))


def is_moving(item: Item, *, since: datetime) -> bool:
    """Return whether an item is locked, or left the queue since a time."""
    return item.state is State.LOCKED or (item.state is not State.TODO and _ended_since(item, since))


def _counted(item: Item, since: Sequence[datetime]) -> Counted:
    how_far = quarter(item.tasks_done, len(item.tasks)) if item.nested else None
    return Counted(
        item.state,
        items=1,
        tasks=len(item.tasks),
        tasks_done=item.tasks_done,
        retrying=int(item.is_retrying),
        nested=tuple(int(each is how_far) for each in QUARTERS),
        settled_since=tuple(int(item.state in SETTLED and _ended_since(item, each)) for each in since),
        ledgers=Ledgers.of_item(item),
    )


def _ended_since(item: Item, time: datetime) -> bool:
    return item.done_at is not None and item.done_at >= time

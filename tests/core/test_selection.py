"""Selections of items and tasks."""

from __future__ import annotations

from dataclasses import FrozenInstanceError
from datetime import timedelta
from typing import Any

import pytest

from pyanamo_async.core.items import Item, State, Task, TaskRecord, TaskState
from pyanamo_async.core.outcomes import Failed, Succeeded
from pyanamo_async.core.selection import CRITERIA, Selection
from pyanamo_async.errors import UsageError
from tests.fakes import NOON


def a_record(exit_code: int, worker: str) -> TaskRecord:
    outcome = Failed(exit_code=exit_code) if exit_code else Succeeded()
    return TaskRecord(outcome, NOON, NOON + timedelta(seconds=1), seconds=1.0, attempt=1, worker=worker)


SINGLE = Item("a", "s1", (Task("Task_0", "x"),))
NESTED = Item(
    "b",
    "s2",
    (
        Task("Task_0", "x", TaskState.DONE, record=a_record(0, "w1")),
        Task("Task_1", "x", TaskState.FAILED, record=a_record(137, "w2")),
        Task("Task_2", "x"),
    ),
    nested=True,
    state=State.FAILED,
    worker="w2",
)


@pytest.mark.parametrize(
    ("criteria", "selected", "tasks"),
    [
        ({"all": True}, "ab", "012"),
        ({"ids": ["b", "z", "b"]}, "b", "012"),
        ({"ids": ["a"]}, "a", ""),
        ({"states": ["FAILED"]}, "b", "012"),
        ({"states": ["Todo", "done"]}, "a", ""),
        ({"states": {"wall_time_exceeded"}}, "", ""),
        ({"sample": "s2"}, "b", "012"),
        ({"worker": "w2"}, "b", "12"),
        ({"worker": "w1"}, "b", "0"),
        ({"task": "Task_1"}, "b", "1"),
        ({"task": "1"}, "b", "1"),
        ({"task": "task_0"}, "ab", "0"),
        ({"where": "exit == 137"}, "b", "1"),
        ({"where": "missing(exit)"}, "ab", "2"),
        ({"where": "exit == 0", "task": "1"}, "", ""),
        ({"where": "exit == 0", "states": ["failed"], "ids": ["b"], "sample": "s2", "limit": 5}, "b", "0"),
        ({"where": "exit == 0", "sample": "s1"}, "", ""),
    ],
)
def test_all_criteria_must_be_met(criteria: dict[str, Any], selected: str, tasks: str) -> None:
    """An item matches if it does, and one of its tasks does; those are its matching tasks."""
    selection = Selection(**criteria)

    assert selected == "".join(item.item_id for item in (SINGLE, NESTED) if selection.matches(item))
    assert tasks == "".join(task.name[-1] for task in selection.matching_tasks(NESTED))
    for item in (SINGLE, NESTED):
        assert selection.matches(item) is bool(selection.matching_tasks(item))


@pytest.mark.parametrize("limit", [None, 3])
def test_nothing_named_is_an_error(limit: int | None) -> None:
    """Everything is meant only by `all`; a limit names nothing."""
    with pytest.raises(UsageError, match="nothing is selected") as caught:
        Selection(limit=limit)

    assert [name for name in CRITERIA if f"`{name}`" not in caught.value.hint] == []


@pytest.mark.parametrize(
    "criteria",
    [
        *({name: empty} for name in ("ids", "states") for empty in ([], (), [""], ["x", " "])),
        *({name: empty} for name in ("sample", "worker", "task", "where") for empty in ("", " \n")),
    ],
)
@pytest.mark.parametrize("other", [{}, {"sample": "s1", "ids": ["a"]}])
def test_an_empty_value_is_an_error_that_names_it(criteria: dict[str, Any], other: dict[str, Any]) -> None:
    """An empty value comes from a variable that was not set: it must not select more than was meant."""
    [name] = criteria
    with pytest.raises(UsageError, match=f"`{name}` is empty"):
        Selection(**(other | criteria))


@pytest.mark.parametrize(
    ("criteria", "problem", "hint"),
    [
        ({"states": ["faild"]}, "`states` has 'faild'", "did you mean failed? the states are todo, locked,"),
        ({"ids": "abc"}, "`ids` is 'abc'", "a list of texts"),
        ({"ids": 7}, "`ids` is 7", "a list of texts"),
        ({"ids": [7]}, "`ids` is 7", "give text"),
        ({"sample": 7}, "`sample` is 7", "give text"),
        ({"all": "yes"}, "`all` is 'yes'", "give True or False"),
        ({"all": True, "limit": -1}, "`limit` is -1", "0 or more"),
        ({"all": True, "limit": True}, "`limit` is True", "a whole number"),
        ({"all": True, "sample": "s1"}, "`all` and `sample`", "one of them"),
        ({"where": "exat == 1"}, "`where`: unknown field 'exat' at character 1", "did you mean exit?"),
    ],
)
def test_an_invalid_value_is_an_error_that_names_it(criteria: dict[str, Any], problem: str, hint: str) -> None:
    """The error names the argument, and says what to give."""
    with pytest.raises(UsageError) as caught:
        Selection(**criteria)

    assert problem in caught.value.what
    assert hint in caught.value.hint


def test_a_selection_is_a_value() -> None:
    """It cannot be changed, and is equal to another that says the same."""
    selection = Selection(states=("FAILED", "failed"), where="exit == 1")

    assert selection == Selection(states=("failed",), where="exit == 1") != Selection(states=("failed",))
    with pytest.raises(FrozenInstanceError):
        selection.where = "exit == 2"  # type: ignore[misc]


def test_a_task_is_selected_by_its_argument() -> None:
    """As everywhere else; a number that is the argument of another task may mean either."""
    tasks = (Task("Task_0", "call chr1"), Task("Task_1", "call chr2"), Task("Task_2", "call 1"))
    item = Item("c", "s", tasks, nested=True, args_at=len("call "))

    assert Selection(task="chr2").matching_tasks(item) == tasks[1:2]
    assert Selection(task="2").matching_tasks(item) == tasks[2:]
    with pytest.raises(UsageError, match="may be meant by 1"):
        Selection(task="1").matching_tasks(item)

"""Failed items, grouped by why."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterable

import pytest

from pyanamo_async.core.items import State, Summary
from pyanamo_async.operate import failures as grouping
from pyanamo_async.operate.failures import CommonReasons, FailureGroup, failures
from tests.fakes import NOON


@pytest.mark.parametrize(
    ("reason", "general"),
    [
        ("", ""),
        ("attempt 3: exit status 137", "exit status 137"),
        ("attempt 3: Task_12: exit status 1: cannot read chr17.bam", "exit status 1: cannot read #.bam"),
        ("attempt 1: exit status 1: line 5: KeyError: 'x7'", "exit status 1: line #: KeyError: '#'"),
        ("attempt 2: killed by signal 35", "killed by signal 35"),
        (
            "attempt 9: its worker vanished 5 times; the last was node-1a2b",
            "its worker vanished # times; the last was node-#",
        ),
        ("attempt 1: exit status 1: attempt 2: failed", "exit status 1: attempt #: failed"),
    ],
)
def test_numbers_of_one_item_are_left_out(reason: str, general: str) -> None:
    """Exit statuses and signals stay: they are the reason."""
    reasons = CommonReasons()
    key = reasons.add(reason)

    assert reasons.add(re.sub(r"(?<!status )(?<!signal )\b(?!Task)\w*\d", "0", reason)) == key
    assert reasons[key] == general


async def test_numbers_that_all_have_stay() -> None:
    """Seven items of one limit name it; of failed and retrying ones each group for itself."""
    same = [f"ran longer than its limit of 2 s on node{number}" for number in range(7)]

    [group] = await failures(_failed(same))
    assert group.reason == "ran longer than its limit of 2 s on #"
    [retried, *_] = await failures(_failed([*same, "ran longer than its limit of 3 s on node7"]))
    assert retried.reason == "ran longer than its limit of # s on #"


async def test_failures_are_grouped() -> None:
    """The largest group first, each with one of its items as an example."""
    reasons = ["exit status 1: no x1", "exit status 2", "exit status 1: no x2"]

    assert await failures(_failed(reasons)) == [
        FailureGroup("exit status 1: no #", 2, "0", "attempt 1: exit status 1: no x1"),
        FailureGroup("exit status 2", 1, "1", "attempt 1: exit status 2"),
    ]


async def test_retrying_items_are_told_from_failed_ones() -> None:
    """They fail alike and stand in groups of their own, behind those that no worker takes up again."""

    async def troubled() -> AsyncIterator[Summary]:
        for state, number in ((State.TODO, 3), (State.FAILED, 1)):
            for _ in range(number):
                yield Summary("n", "s", state, 1, 0, reason="exit status 3", not_before=NOON)

    assert [(each.retrying, each.count) for each in await failures(troubled())] == [(False, 1), (True, 3)]


async def test_what_waits_without_a_failure_is_none() -> None:
    """An item may wait for room, or go on from a checkpoint, whatever came before."""
    reasons = ["", "attempt 2: checkpoint taken", "attempt 2: interrupted: stop", "attempt 1: exit status 3"]

    async def waiting() -> AsyncIterator[Summary]:
        for reason in reasons:
            yield Summary("n", "s", State.TODO, 1, 0, reason=reason, not_before=NOON)

    assert [each.reason for each in await failures(waiting())] == ["exit status 3"]


async def test_what_could_not_be_started_is_a_failure_to_look_at() -> None:
    """It is none of the script's, and it comes again until somebody does something about it."""

    async def waiting() -> AsyncIterator[Summary]:
        for number in range(3):
            reason = f"attempt {number}: not started: its checkpoint cannot be read: denied"
            yield Summary("n", "s", State.TODO, 1, 0, reason=reason, not_before=NOON)

    assert [(each.reason, each.count) for each in await failures(waiting())] == [
        ("not started: its checkpoint cannot be read: denied", 3)
    ]


async def test_the_task_that_failed_first_is_named() -> None:
    """A nested item has the output of many tasks: `logs` needs the name of one."""

    async def failed() -> AsyncIterator[Summary]:
        yield Summary("n", "s", State.FAILED, 4, 0, nested=True, reason="attempt 1: Task_1: exit status 3")

    assert [each.example_task for each in await failures(failed())] == ["Task_1"]


async def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """A million different reasons make a page of groups, and one for the others."""
    monkeypatch.setattr(grouping, "MAX_GROUPS", 2)
    groups = await failures(_failed([f"exit status 1: {word}" for word in ("a", "b", "c", "d", "a")]))

    assert {group.reason: group.count for group in groups} == {
        "exit status 1: a": 2,
        "exit status 1: b": 1,
        "other reasons": 2,
    }


async def _failed(reasons: Iterable[str]) -> AsyncIterator[Summary]:
    for number, reason in enumerate(reasons):
        yield Summary(str(number), "s", State.FAILED, 1, 0, reason=f"attempt 1: {reason}")

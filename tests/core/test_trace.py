"""Attempts as rows of a trace and as lines of a joblog."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest

from pyanamo_async.core.items import Item, Output, TaskRecord
from pyanamo_async.core.outcomes import Failed, Interrupted, InterruptReason, Outcome, Succeeded, TimedOut
from pyanamo_async.core.trace import COLUMNS, JOBLOG_COLUMNS, joblog, trace
from pyanamo_async.core.values import replace
from tests.fakes import NOON, an_item


def a_record(outcome: Outcome) -> TaskRecord:
    return TaskRecord(
        outcome,
        started=NOON,
        finished=NOON + timedelta(seconds=1.5),
        seconds=1.5,
        attempt=2,
        worker="w",
        max_rss_bytes=4096,
        cpu_seconds=0.0,
        stdout=Output("printed", size_bytes=7, lines=1),
    )


def ended(outcome: Outcome, *, script: str = "x") -> Item:
    item = an_item("a", script=script)
    return replace(item, tasks=(replace(item.tasks[0], record=a_record(outcome)),))


def test_a_row_has_the_stored_names() -> None:
    """A row has all columns in their order, and no output."""
    [row] = trace(ended(Failed(exit_code=3)))

    assert tuple(row) == COLUMNS
    assert row == {
        "itemID": "a",
        "taskID": "sample",
        "Task": "Task_0",
        "Argument": None,
        "Attempt": 2,
        "Status": "Failed",
        "Exit_Code": 3,
        "Signal": None,
        "Reason": "exit status 3",
        "Started": "2026-01-01T12:00:00.000Z",
        "Finished": "2026-01-01T12:00:01.500Z",
        "Seconds": 1.5,
        "CPU_Seconds": 0.0,
        "Max_RSS": 4096,
        "Max_RSS_By": "process",
        "stdout_bytes": 7,
        "stderr_bytes": 0,
        "Worker": "w",
    }


def test_tasks_without_a_record_have_no_row() -> None:
    """A nested item has a row for each task that ran."""
    item = an_item("a", nested=("x", "y", "z"))
    first, second, third = item.tasks
    record = a_record(Succeeded())
    item = replace(item, tasks=(replace(first, record=record), second, replace(third, record=record)))

    assert [row["Task"] for row in trace(item)] == ["Task_0", "Task_2"]
    assert [line[-1] for line in joblog(item)] == ["x", "z"]


@pytest.mark.parametrize(
    ("outcome", "exitval", "signal"),
    [
        (Succeeded(), "0", "0"),
        (Failed(exit_code=3), "3", "0"),
        (Failed(signal=9), "0", "9"),
        (Failed(detail="no such shell"), "127", "0"),
        (TimedOut(timedelta(seconds=1)), "-1", "15"),
        (Interrupted(InterruptReason.STOP), "-1", "15"),
    ],
)
def test_a_joblog_shows_how_jobs_ended(outcome: Outcome, exitval: str, signal: str) -> None:
    """A job that did not succeed has an exit value or a signal that is not zero."""
    [line] = joblog(ended(outcome))

    assert line == ("w", "1767268800.000", "     1.500", "0", "7", exitval, signal, "x")
    assert len(JOBLOG_COLUMNS) == 1 + len(line)


def test_a_line_of_a_joblog_is_one_line() -> None:
    """Parallel can read the line back when it resumes: a newline in a command is NUL, a tab stays a tab."""
    [fields] = joblog(ended(Succeeded(), script="for x in 1\tdo\n  echo $x\ndone"))
    line = "\t".join(("1", *fields))

    assert re.fullmatch(r"(\d+)(?:\t[^\t]+){5}\t(\d+)\t(\d+)\t(.+)", line)
    assert line.endswith("\tfor x in 1\tdo\0  echo $x\0done")

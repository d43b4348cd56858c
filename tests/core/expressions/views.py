"""Tasks to test expressions with."""

from __future__ import annotations

from datetime import timedelta

from pyanamo_async.core.expressions.view import TaskView
from pyanamo_async.core.items import Output, State, TaskRecord, TaskState
from pyanamo_async.core.outcomes import Failed, Outcome, Succeeded
from pyanamo_async.core.values import replace
from tests.fakes import NOON, an_item


def a_view(
    outcome: Outcome | None = None, *, stdout: str = "", stderr: str = "", seconds: float = 90.0, **changes: object
) -> TaskView:
    """Make a view of the only task of an item; without an outcome it never ran."""
    item = an_item("s1-align", script="bwa mem")
    record = (
        TaskRecord(
            outcome,
            started=NOON,
            finished=NOON + timedelta(seconds=seconds),
            seconds=seconds,
            attempt=2,
            worker="w1",
            max_rss_bytes=3 << 30,
            stdout=Output(stdout, size_bytes=len(stdout)),
            stderr=Output(stderr, size_bytes=len(stderr)),
        )
        if outcome
        else None
    )
    task = replace(item.tasks[0], record=record, failures=2, state=TaskState.DONE if outcome else TaskState.TODO)
    item = replace(item, tasks=(task,), sample="s1", state=State.FAILED)
    return TaskView(replace(item, **changes), task)  # type: ignore[arg-type] # the tests name fields


NEVER_RAN = a_view()
DONE = a_view(Succeeded(), stdout="x\nPyAnamo:\tS1\t21\t0.5\t\nPyAnamo:\tS2\n")
FAILED = a_view(Failed(exit_code=137), stderr="warning\nNo space left on device\n", attempt=4)
KILLED = a_view(Failed(signal=9), seconds=7200.0)

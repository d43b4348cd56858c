"""What an attempt at a task makes of the task."""

from __future__ import annotations

from typing import assert_never

from pyanamo_async.core.failure_policy import FailurePolicy, Verdict
from pyanamo_async.core.items import Task, TaskRecord, TaskRecords, TaskState
from pyanamo_async.core.outcomes import Checkpointed, Failed, Interrupted, OutOfMemory, Succeeded, TimedOut
from pyanamo_async.core.values import replace


def with_result(task: Task, result: TaskRecord, policy: FailurePolicy, limit: int) -> Task:
    """Return a task after an attempt at it; `limit` is how many failures it may have."""
    state, attempts, failures = task.state, task.attempts + 1, task.failures
    match result.outcome:
        case Succeeded():
            state = TaskState.DONE
        case Interrupted():
            attempts = task.attempts
        case OutOfMemory() | Checkpointed():
            pass
        case Failed() | TimedOut() as failure:
            verdict = policy.verdict(failure)
            failures += verdict is not Verdict.RETRY
            if verdict is not Verdict.RETRY:
                state = TaskState.FAILED if verdict is Verdict.FAIL or failures >= limit else TaskState.TODO
        case never:
            assert_never(never)
    return replace(task, state=state, attempts=attempts, failures=failures, record=result)


def made_progress(results: TaskRecords) -> bool:
    """Return whether a task succeeded, or left a new checkpoint."""
    return any(isinstance(each.outcome, Succeeded) or each.checkpoint.made_progress for each in results.values())

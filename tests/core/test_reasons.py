"""Why a task did not succeed, in a line."""

from __future__ import annotations

from datetime import timedelta

import pytest

from pyanamo_async.core.items import Output, TaskRecord
from pyanamo_async.core.outcomes import Failed, Interrupted, InterruptReason, Outcome, Succeeded, TimedOut
from tests.fakes import NOON


@pytest.mark.parametrize(
    ("outcome", "stderr", "reason"),
    [
        (Failed(exit_code=2), "warned\nls: no such file\n\n", "exit status 2: ls: no such file"),
        (Failed(exit_code=2), "10%\r20%\rno space left", "exit status 2: no space left"),
        (Failed(exit_code=2), "", "exit status 2"),
        (Failed(exit_code=2), " \n", "exit status 2"),
        (Failed(signal=9), "half", "killed by SIGKILL: half"),
        (TimedOut(timedelta(seconds=5)), "at 7 of 9", "ran longer than its limit of 5 s: at 7 of 9"),
        (Failed(exit_code=1), "x" * 5000, f"exit status 1: {'x' * 49}...{'x' * 48}"),
        (
            Failed(exit_code=2),
            f"python3: can't open '/{'deep/' * 30}count.py': [Errno 2] No such file or directory",
            "exit status 2: python3: can't open '/deep/deep/deep/deep/deep/de"
            "...p/count.py': [Errno 2] No such file or directory",
        ),
        (Succeeded(), "warned", ""),
        (Interrupted(InterruptReason.STOP), "half", "interrupted: stop"),
    ],
)
def test_a_failure_tells_what_the_script_said_last(outcome: Outcome, stderr: str, reason: str) -> None:
    """Beside the exit status, bounded; who was interrupted is not to blame."""
    record = TaskRecord(outcome, NOON, NOON, 1.0, 1, "w", stderr=Output(text=stderr))

    assert record.reason == reason

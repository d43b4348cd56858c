"""Every outcome, in each of its forms, for tests that try them all."""

from __future__ import annotations

from datetime import timedelta

from pyanamo_async.core.outcomes import (
    Checkpointed,
    Failed,
    Interrupted,
    InterruptReason,
    Outcome,
    OutOfMemory,
    Succeeded,
    TimedOut,
)

OUTCOMES: tuple[Outcome, ...] = (
    Succeeded(),
    Checkpointed(),
    Failed(exit_code=7),
    Failed(signal=9),
    Failed(detail="cannot be started"),
    TimedOut(timedelta(seconds=1.5)),
    OutOfMemory(signal=9),
    OutOfMemory(exit_code=137),
    *(Interrupted(why) for why in InterruptReason),
)
FAILURES = tuple(outcome for outcome in OUTCOMES if isinstance(outcome, Failed | TimedOut))

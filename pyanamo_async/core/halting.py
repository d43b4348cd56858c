"""When a worker, or all of them, claim nothing more because too much fails.

1. A worker halts after so many failures in a row and no success between: of scripts, in the order in which they end. A
   host without reference data would otherwise fail everything that comes, and bury a table that others could do.
2. What was interrupted, or ran out of memory, is neither a failure nor a success; nor is an ending that a rule calls no
   failure (`on_exit`).
3. A worker that halted stays so, whatever its last scripts do.
4. All workers halt when so many items are failed: then it is not the host.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import assert_never

from pyanamo_async.core.failure_policy import FailurePolicy, Verdict
from pyanamo_async.core.outcomes import Checkpointed, Failed, Interrupted, Outcome, OutOfMemory, Succeeded, TimedOut
from pyanamo_async.core.reasons import REASON_LENGTH
from pyanamo_async.core.text.plural import plural
from pyanamo_async.core.values import Value
from pyanamo_async.errors import UsageError

HALTED = "halted"  # how the reason of a worker's end begins
ALL = 100.0  # percent


@dataclass(slots=True)
class FailureStreak:
    """The failures of one worker since its last success; with `limit` of them it has `reached` it."""

    limit: int | None = None
    failures: int = 0
    reached: bool = False

    def observe(self, outcome: Outcome, *, policy: FailurePolicy) -> None:
        """Add how a script ended."""
        match outcome:
            case Succeeded() | Checkpointed():
                self.failures = 0
            case Interrupted() | OutOfMemory():
                pass
            case Failed() | TimedOut() as failure:
                self.failures += policy.verdict(failure) is not Verdict.RETRY
            case never:
                assert_never(never)
        self.reached = self.reached or (self.limit is not None and self.failures >= self.limit)


class FailedLimit(Value):
    """How many items of a table may be failed until nobody claims any more: a number, or a share in percent."""

    items: int | None = None
    percent: float | None = None

    def least(self, total: int) -> int:
        """Return how many failed items reach it in a table of so many items."""
        if self.percent is None:
            return self.items or 1
        return max(1, math.ceil(total * self.percent / ALL - 1e-9))


def parse_failed_limit(text: str) -> FailedLimit:
    """Return the limit of a text like `100` or `5%`.

    Raises:
        UsageError: it is none.
    """
    if re.fullmatch(r"[1-9][0-9]{0,8}", text):
        return FailedLimit(items=int(text))
    if (found := re.fullmatch(r"([0-9]{1,3}(?:\.[0-9]+)?)\s?%", text)) and 0 < float(found[1]) <= ALL:
        return FailedLimit(percent=float(found[1]))
    raise UsageError(f"`max_failed` '{text}' is no limit", hint="give a number of items, or a share like 5%")


def streak_reason(failures: int, item_id: str, reason: str) -> str:
    """Return why a worker halted, in a sentence that its row has room for."""
    return f"{HALTED} after {plural(failures, 'failure')} in a row, the last: {item_id}: {reason}"[:REASON_LENGTH]


def failed_reason(failed: int, total: int | None) -> str:
    """Return why all workers halt."""
    of = f" of {total:,}" if total else ""
    return f"{HALTED}: {plural(failed, 'item')}{of} {'is' if failed == 1 else 'are'} failed"


def is_halted(stopped_by: str) -> bool:
    """Return whether a worker ended because too much failed."""
    return stopped_by.startswith(HALTED)

"""What one worker did."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from pyanamo_async.core.items import State
from pyanamo_async.errors import Fenced, PyanamoError, TableReplaced, Unavailable


@dataclass(slots=True)
class RunSummary:
    """What a worker did: items by the state it settled them in, those it lost, and whether it left work behind.

    `trouble` says, in a sentence, why it halted, or the first of its `errors`, or why it lost all its claims.
    """

    settled: Counter[State] = field(default_factory=Counter)
    put_back: int = 0  # on being told to stop
    lost: int = 0  # claims that were lost, or could not be settled
    errors: int = 0
    trouble: str = ""
    work_left: bool = False
    out_of_reach: int = 0  # items that no living worker takes: they need more memory, or their last attempts are left
    stopped: str = ""

    def claim_lost(self, item_id: str, error: PyanamoError) -> str:
        """Count a claim that was lost, and return why."""
        self.lost += 1
        reason = "the table was replaced" if isinstance(error, TableReplaced) else str(error)
        if not isinstance(error, Fenced | Unavailable):
            self.failed(f"item '{item_id}' was lost: {reason}")
        return reason

    def ended(self, stopped: str, *, halted: str, is_fenced: bool) -> None:
        """Learn by what the worker was stopped, and why it halted, if it did."""
        self.stopped = stopped
        if halted:
            self.errors, self.trouble = self.errors + 1, halted
        elif is_fenced:
            self.trouble = self.trouble or stopped

    def failed(self, why: str) -> None:
        """Count an error of the worker itself."""
        self.errors += 1
        self.trouble = self.trouble or why

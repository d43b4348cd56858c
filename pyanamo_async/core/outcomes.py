"""How the run of one task ended."""

from __future__ import annotations

import signal
from datetime import timedelta
from enum import StrEnum

from pyanamo_async.core.values import Value


class InterruptReason(StrEnum):
    """Why we ended a script that was not at its end."""

    STOP = "stop"  # drain is over: a signal, a Spot notice, an order
    WALL_TIME = "wall time"  # the worker's own budget is used up
    MACHINE = "the machine could not start it"  # no fault of the script
    FENCED = "fenced"  # the claim is no longer ours: nothing may be written


class Succeeded(Value):
    """Exit status 0."""

    status = "Succeeded"
    reason = ""


class Failed(Value):
    """Own fault: an exit status above 0, a signal, or it could not be started."""

    exit_code: int | None = None
    signal: int | None = None
    detail: str = ""

    status = "Failed"

    @property
    def reason(self) -> str:
        """Say what happened in a few words."""
        if self.detail:
            return self.detail
        if self.signal is not None:
            return f"killed by {signal_name(self.signal)}"
        return f"exit status {self.exit_code}"


class TimedOut(Value):
    """It ran into its own time limit; counts as a failure."""

    limit: timedelta

    status = "TimedOut"

    @property
    def reason(self) -> str:
        """Say which limit."""
        return f"ran longer than its limit of {self.limit.total_seconds():g} s"


class Interrupted(Value):
    """We ended it, or never started it; no fault of the script."""

    why: InterruptReason

    status = "Interrupted"

    @property
    def reason(self) -> str:
        """Say who interrupted."""
        return f"interrupted: {self.why}"


Outcome = Succeeded | Failed | TimedOut | Interrupted


def signal_name(number: int) -> str:
    """Name a signal (`SIGKILL`), or give its number where it has no name."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"

"""How the run of one task ended.

The texts of reasons are stored with items, so they are part of the table's format.
"""

from __future__ import annotations

import signal
from datetime import timedelta
from enum import StrEnum

from pyanamo_async.core.text.shortening import shorten
from pyanamo_async.core.values import Value


class InterruptReason(StrEnum):
    """Why the worker ended a script, or did not start it."""

    STOP = "stop"  # a signal, a Spot notice, or an order
    WALL_TIME = "wall time"  # the worker's time budget is used up
    MEMORY = "memory ran short"  # of the machine: what it had reached, it needs next time
    ORDER = "order"  # of a person, for this item
    HALT = "too much failed on this worker"  # it started no further task
    MACHINE = "the machine could not start it"  # not the script's fault
    FENCED = "fenced"  # the claim was lost: nothing may be written


class NotStarted(Value):
    """Why the machine could not start a script; if it is so `everywhere`, others cannot either for now."""

    why: str
    everywhere: bool = False


class Succeeded(Value):
    """The script exited with status 0."""

    status = "Succeeded"
    reason = ""


DETAIL_BYTES = 80  # in UTF-8; a test fills a row to this limit


class Failed(Value):
    """The script failed: with an exit status above 0, by a signal, or for what `detail` says.

    That is why it cannot be started or, with exit status 0, the tag by which it told of its failure.
    """

    exit_code: int | None = None
    signal: int | None = None
    detail: str = ""

    status = "Failed"

    @property
    def reason(self) -> str:
        """Return what happened in a few words."""
        if self.detail:
            return self.detail
        if self.signal is not None:
            return f"killed by {signal_name(self.signal)}"
        return f"exit status {self.exit_code}"


def tag_detail(tag: str) -> str:
    """Return a tag as the detail of a failure: its fields side by side."""
    return detail(tag) or "an empty tag"


def detail(text: str) -> str:
    """Return a text as the detail of a failure, in one line, cut where a row has no room for more."""
    return " ".join(text.split()).encode(errors="replace")[:DETAIL_BYTES].decode(errors="ignore")


def trouble_detail(text: str) -> str:
    """Return a text as `detail` does, but cut in the middle: the cause of a trouble stands at its end."""
    return shorten(" ".join(text.split()), DETAIL_BYTES)


class TimedOut(Value):
    """The script reached its time limit; counts as a failure."""

    limit: timedelta

    status = "TimedOut"

    @property
    def reason(self) -> str:
        """Return what happened, with the limit."""
        return f"ran longer than its limit of {self.limit.total_seconds():g} s"


class Interrupted(Value):
    """The worker ended the script, or never started it; not the script's fault."""

    why: InterruptReason

    status = "Interrupted"

    @property
    def reason(self) -> str:
        """Return why the worker interrupted."""
        return f"interrupted: {self.why}"


class OutOfMemory(Value):
    """The kernel ended the script, or a process of it, because memory ran out; at first that is no failure."""

    exit_code: int | None = None
    signal: int | None = None

    status = "OutOfMemory"
    reason = "out of memory"


class Checkpointed(Value):
    """The script left a checkpoint and exited with 85, to be run again: progress, and no failure."""

    status = "Checkpointed"
    reason = "checkpoint taken"


Failure = Failed | TimedOut
"""What counts against a task: the script's own fault."""

Outcome = Succeeded | Checkpointed | Failure | OutOfMemory | Interrupted


def signal_name(number: int) -> str:
    """Return the name of a signal (`SIGKILL`), or its number if it has no name."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"

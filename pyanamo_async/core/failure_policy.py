"""When to try again, after how long, and when to give up.

Three ledgers that never mix: failures are the script's own fault, crashes are workers that vanished under it, wall-time
kills are ours. Backoff is exponential with full jitter (AWS Architecture Blog, "Exponential Backoff And Jitter", 2015):
uniformly random between nothing and the cap of that round, which spreads retries best.
"""

from __future__ import annotations

import signal
from datetime import timedelta
from enum import StrEnum

from pyanamo_async.core.outcomes import Failed, Outcome, TimedOut
from pyanamo_async.core.values import Value
from pyanamo_async.errors import UsageError

SHELL_SIGNAL_BASE = 128  # a shell reports a child killed by signal N as exit status 128 + N
MAX_EXIT_STATUS = 255


class Verdict(StrEnum):
    """What a rule makes of an ending: try again without counting it, or give up at once."""

    RETRY = "retry"
    FAIL = "fail"


class FailurePolicy(Value):
    """The limits of the ledgers and the pace of retries.

    `on_exit` maps exit statuses (a signal N is 128 + N) or `"timeout"` to a verdict; what it does not name counts as
    one failure.
    """

    max_failures: int = 3
    crash_limit: int = 5
    wall_time_limit: int = 5
    backoff_min: timedelta = timedelta(seconds=1)
    backoff_max: timedelta = timedelta(minutes=10)
    on_exit: tuple[tuple[int | str, Verdict], ...] = ()

    def verdict(self, outcome: Outcome) -> Verdict | None:
        """Look up the rule for an ending; None when it is an ordinary failure."""
        match outcome:
            case TimedOut():
                ending: int | str | None = "timeout"
            case Failed(signal=int(number)):
                ending = SHELL_SIGNAL_BASE + number
            case Failed(exit_code=code):
                ending = code
            case _:
                return None
        return next((verdict for key, verdict in self.on_exit if key == ending), None)

    def is_last_chance(self, crashes: int) -> bool:
        """Tell whether the next crash would bury an item that perhaps only ran beside the culprit of those before."""
        return 0 < crashes == self.crash_limit - 1

    def delay(self, endings_before: int, jitter: float) -> timedelta:
        """Choose the pause before the next attempt; `jitter` is uniform in [0, 1)."""
        doublings = min(endings_before, 40)  # 2**40 seconds is past every cap
        return jitter * min(self.backoff_max, self.backoff_min * (1 << doublings))


def parse_on_exit(text: str) -> tuple[tuple[int | str, Verdict], ...]:
    """Read `75=retry,SIGKILL=retry,timeout=fail`.

    Raises:
        UsageError: a part is not `exit status|signal|timeout = retry|fail`.
    """
    return tuple(_rule(part.strip()) for part in text.split(",") if part.strip())


def _rule(part: str) -> tuple[int | str, Verdict]:
    key, _, verdict = (word.strip() for word in part.partition("="))
    if verdict not in set(Verdict):
        raise UsageError(f"`on_exit` '{part}' is not a rule", hint="write it like 75=retry or timeout=fail")
    return _ending(key, part), Verdict(verdict)


def _ending(key: str, part: str) -> int | str:
    if key == "timeout":
        return key
    if key.isdigit() and int(key) <= MAX_EXIT_STATUS:
        return int(key)
    if key in signal.Signals.__members__:
        return SHELL_SIGNAL_BASE + signal.Signals[key]
    raise UsageError(
        f"`on_exit` '{part}' names no exit status", hint="0 to 255, a signal like SIGKILL, or the word timeout"
    )

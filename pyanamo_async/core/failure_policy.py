"""When to try again, after how long, and when to give up.

1. The ledgers never mix: failures are the script's own fault, crashes are workers that vanished while it ran, and
   wall-time kills are the worker's doing, as is memory that ran out.
2. A script that exits with 0 has succeeded, unless it printed a tag that says otherwise.
3. An ending that a rule in `on_exit` names is retried without being counted, or fails the task at once. Any other
   failure counts as one.
4. Backoff is exponential with full jitter: uniformly random between zero and a cap that doubles with each attempt. It
   spreads retries best (AWS Architecture Blog, "Exponential Backoff And Jitter", 2015).
"""

from __future__ import annotations

import re
import signal
from datetime import timedelta
from enum import StrEnum
from typing import assert_never

from pyanamo_async.core.arguments import check_fields
from pyanamo_async.core.outcomes import Failed, Failure, TimedOut
from pyanamo_async.core.values import Value
from pyanamo_async.errors import UsageError

SHELL_SIGNAL_BASE = 128  # a shell reports a child killed by signal N as exit status 128 + N
FAILURE_STATUSES = range(1, 256)


class Verdict(StrEnum):
    """What a rule makes of an ending: try again without counting it, or give up at once."""

    RETRY = "retry"
    FAIL = "fail"


class FailurePolicy(Value):
    """The limits of the ledgers and the pace of retries.

    `on_exit` has pairs of an exit status (a signal N is 128 + N) or `"timeout"` and a verdict; `parse_on_exit` reads
    them from text like `75=retry,timeout=fail`. A task that exits with 0 has failed all the same if one of its tags,
    the lines of stdout that begin with `PyAnamo:` and a tab, has what the regular expression `fail_on_tag` describes
    after that beginning.

    Raises:
        UsageError: a value is of a wrong type or out of range.
    """

    max_failures: int = 3
    crash_limit: int = 5
    wall_time_limit: int = 5
    oom_limit: int = 3
    backoff_min: timedelta = timedelta(seconds=1)
    backoff_max: timedelta = timedelta(minutes=10)
    on_exit: tuple[tuple[int | str, Verdict], ...] = ()
    fail_on_tag: str = ""

    def __post_init__(self) -> None:
        """Check types and ranges."""
        check_fields(self)
        for name in ("max_failures", "crash_limit", "wall_time_limit", "oom_limit"):
            if getattr(self, name) < 1:
                raise UsageError(f"`{name}` is {getattr(self, name)}", hint="give at least 1")
        if not all(map(_is_rule, self.on_exit)):
            raise UsageError(
                f"`on_exit` {self.on_exit!r} is no rule", hint="parse_on_exit('75=retry') makes one of text"
            )
        for ending, verdict in self.on_exit:
            if verdict is not dict(self.on_exit)[ending]:
                raise UsageError(f"`on_exit` says both retry and fail of {ending}", hint="leave one out")
        try:
            _ = self.failing_tags
        except (re.error, OverflowError, RecursionError) as error:
            raise UsageError(
                f"`fail_on_tag` {self.fail_on_tag!r} is no regular expression: {error}", hint="write it like '^Error'"
            ) from None

    @property
    def failing_tags(self) -> re.Pattern[str] | None:
        """Return the pattern of tags that mean a failure, if there is one."""
        return re.compile(self.fail_on_tag) if self.fail_on_tag else None

    def verdict(self, failure: Failure) -> Verdict | None:
        """Return what the rules say about a failure; None when it is an ordinary one."""
        match failure:
            case TimedOut():
                ending: int | str | None = "timeout"
            case Failed(signal=int(number)):
                ending = SHELL_SIGNAL_BASE + number
            case Failed(exit_code=code):
                ending = code
            case never:
                assert_never(never)
        return next((verdict for key, verdict in self.on_exit if key == ending), None)

    def is_last_chance(self, crashes: int) -> bool:
        """Return whether the next crash buries an item with so many crashes.

        Such an item runs alone: it may only have run beside the one that brought its workers down.
        """
        return 0 < crashes == self.crash_limit - 1

    def delay(self, attempts_before: int, jitter: float) -> timedelta:
        """Return the pause before the next attempt; `jitter` is uniform in [0, 1)."""
        doublings = min(attempts_before, 40)  # 2**40 seconds is past every cap
        return jitter * min(self.backoff_max, self.backoff_min * (1 << doublings))


def _is_rule(rule: object) -> bool:
    match rule:
        case (int(status), Verdict()):
            return status in FAILURE_STATUSES
        case ("timeout", Verdict()):
            return True
    return False


def parse_on_exit(text: str) -> tuple[tuple[int | str, Verdict], ...]:
    """Return the rules written as `75=retry,SIGKILL=retry,timeout=fail`.

    Raises:
        UsageError: a part is not an exit status, a signal or `timeout`, with `retry` or `fail`.
    """
    return tuple(_rule(part.strip()) for part in text.split(",") if part.strip())


def _rule(part: str) -> tuple[int | str, Verdict]:
    ending, _, verdict = (word.strip() for word in part.partition("="))
    if verdict not in set(Verdict):
        raise UsageError(f"`on_exit` '{part}' is not a rule", hint="write it like 75=retry or timeout=fail")
    return _ending(ending, part), Verdict(verdict)


def _ending(text: str, part: str) -> int | str:
    if text == "timeout":
        return text
    if text.isdecimal() and int(text) in FAILURE_STATUSES:
        return int(text)
    if text in signal.Signals.__members__:
        return SHELL_SIGNAL_BASE + signal.Signals[text]
    raise UsageError(
        f"`on_exit` '{part}' does not name a failure",
        hint="name an exit status from 1 to 255, a signal like SIGKILL, or timeout",
    )

"""Retry storage calls for minutes: output that is lost can only be had by running its script again.

1. `Unavailable` is retried for five minutes, with pauses of up to 15 s.
2. Callers see only `OutputError`: after the time limit with how long the call was retried, at once for any other error.
3. A wait of ten seconds is logged, once: a script that waits for its output looks like one that hangs.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

from pyanamo_async.core.text.plural import plural
from pyanamo_async.errors import OutputError, PyanamoError, Unavailable
from pyanamo_async.host.retry import RetrySchedule, retry

LOG_AFTER_S = 10.0
MINUTE_S = 60

WRITE_SCHEDULE = RetrySchedule(limit_s=5 * MINUTE_S, longest_pause_s=15.0)
READ_SCHEDULE = RetrySchedule(limit_s=10.0, longest_pause_s=15.0)  # somebody waits at a terminal
ONCE = RetrySchedule(limit_s=0.0)

T = TypeVar("T")

logger = logging.getLogger(__name__)


async def retry_output(
    call: Callable[[], Awaitable[T]], schedule: RetrySchedule, *, monotonic: Callable[[], float] = time.monotonic
) -> T:
    """Make a storage call until it succeeds and return its result.

    Raises:
        OutputError: the call still fails at the schedule's limit, or failed for a reason that no retry heals.
    """
    logged = False

    def log_long_wait(error: Unavailable, waited_s: float) -> None:
        nonlocal logged
        if not logged and LOG_AFTER_S <= waited_s < (schedule.limit_s or 0):
            logged = True
            logger.warning("output waits: %s", error)

    try:
        return await retry(call, schedule, on_failure=log_long_wait, monotonic=monotonic)
    except OutputError:
        raise
    except Unavailable as error:
        raise OutputError(error.what + _tried(schedule.limit_s or 0), hint=error.hint) from error
    except PyanamoError as error:
        raise OutputError(error.what, hint=error.hint) from error


def _tried(limit_s: float) -> str:
    if not limit_s:
        return ""
    count, unit = (limit_s / MINUTE_S, "minute") if limit_s >= MINUTE_S else (limit_s, "second")
    return f" (tried again for {plural(round(count), unit)})"

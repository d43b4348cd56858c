"""How long output waits for a storage that does not answer, throttles or is full: minutes, not seconds.

Output cannot be had again without running its script again, so a part of it is worth far more tries than a claim.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import TypeVar

from pyanamo_async.core.text.plural import plural
from pyanamo_async.errors import OutputError, PyanamoError, Unavailable

TOLD_AFTER_S = 10.0

Result = TypeVar("Result")

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Patience:
    """Try again what is `Unavailable`, for `limit` since its first failure, with pauses that grow from 0.2 to 15 s.

    Pauses are random within their upper half, so that a hundred sinks do not come back at the same moment. What takes
    longer than ten seconds is said, once: a script that waits for its output looks like one that hangs.
    """

    limit: timedelta = timedelta(minutes=5)
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    monotonic: Callable[[], float] = time.monotonic
    rng: Callable[[], float] = random.random
    shortest_s: float = 0.2
    longest_s: float = 15.0

    async def through(self, call: Callable[[], Awaitable[Result]]) -> Result:
        """Make a call until it succeeds.

        Raises:
            OutputError: it still fails after the limit, or failed for a reason that no waiting mends.
        """
        since: float | None = None
        pause = self.shortest_s
        told = False
        while True:
            try:
                return await call()
            except Unavailable as error:
                now = self.monotonic()
                since = now if since is None else since
                left = since + self.limit.total_seconds() - now
                if left <= 0:
                    raise self._gave_up(error) from error
                if not told and now - since >= TOLD_AFTER_S:
                    told = True
                    logger.warning("output waits: %s", error)
                wish = error.retry_after_s or 0.0
            except OutputError:
                raise
            except PyanamoError as error:
                raise OutputError(error.what, hint=error.hint) from error
            await self.sleep(min(left, max(wish, pause * (1 + self.rng()) / 2)))
            pause = min(self.longest_s, 2 * pause)

    def _gave_up(self, error: Unavailable) -> OutputError:
        minutes = round(self.limit.total_seconds() / 60)
        tries = f" (tried again for {plural(minutes, 'minute')})" if minutes else ""
        return OutputError(error.what + tries, hint=error.hint)


IMPATIENT = Patience(limit=timedelta())
BRIEF = Patience(limit=timedelta(seconds=3), shortest_s=0.02)  # for what others may undo in the same moment

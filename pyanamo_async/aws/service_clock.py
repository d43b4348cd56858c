"""The time of a service, from the `Date` headers of its replies.

1. Between replies the time goes on with the monotonic clock, so it is right even if the machine's own clock is wrong.
2. A header has whole seconds. An estimate that agrees with the latest header is kept, so that the time hardly ever goes
   backwards.
3. Before the first reply the time is that of the machine's clock.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

RESOLUTION = timedelta(seconds=1)
CREDIBLE_YEARS = range(2000, 3000)


class ServiceClock:
    """Follows the replies of the clients it listens to."""

    def __init__(self, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._told: datetime | None = None
        self._told_s = 0.0

    def listen(self, client: Any) -> None:  # noqa: ANN401 - its events have no types
        """Read the headers of all replies to a client of DynamoDB."""
        client.meta.events.register("after-call.dynamodb", self._note)

    def time(self, now: datetime) -> datetime:
        """Return the service's time; `now`, the machine's, before the first reply."""
        return self._estimate() or now

    def _note(self, parsed: dict[str, Any], **_: object) -> None:
        headers = parsed.get("ResponseMetadata", {}).get("HTTPHeaders", {})
        try:
            told = parsedate_to_datetime(headers.get("date", ""))
        except ValueError:  # the header of a proxy
            return
        told = told if told.tzinfo else told.replace(tzinfo=UTC)  # "-0000" is UTC, too
        if told.year not in CREDIBLE_YEARS:  # at the end of the calendar, adding to it would fail
            return
        estimate = self._estimate()
        if estimate is None or not told <= estimate <= told + RESOLUTION:
            self._told, self._told_s = told, self._monotonic()

    def _estimate(self) -> datetime | None:
        if self._told is None:
            return None
        milliseconds = int((self._monotonic() - self._told_s) * 1000)
        return self._told + timedelta(milliseconds=milliseconds)

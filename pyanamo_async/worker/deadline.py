"""The one deadline that a script's run waits under; whoever ends the script moves it to now."""

from __future__ import annotations

import asyncio
from types import TracebackType
from typing import Self


class Deadline:
    """A time limit for one wait after another: `async with deadline.within(seconds)`, None for no limit.

    It raises `TimeoutError` when the limit is over. `allowed_s` is how long a wait may still take once it is cut
    short, unless `cut_short` says otherwise.
    """

    def __init__(self) -> None:
        self._timeout: asyncio.Timeout | None = None
        self.allowed_s = 0.0

    def within(self, seconds: float | None, *, allowed_s: float = 0.0) -> Self:
        """Return it as the limit of a wait that begins."""
        self._timeout, self.allowed_s = asyncio.timeout(seconds), allowed_s
        return self

    def cut_short(self, *, at_once: bool = False, allowed_s: float | None = None) -> None:
        """End the wait that is under way, if there is one, by what is allowed, or at once."""
        if self._timeout is None or self._timeout.expired():
            return
        left_s = 0.0 if at_once else self.allowed_s if allowed_s is None else allowed_s
        when, until = self._timeout.when(), asyncio.get_running_loop().time() + left_s
        if when is None or until < when:
            self._timeout.reschedule(until)

    async def __aenter__(self) -> None:
        if self._timeout is not None:
            await self._timeout.__aenter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        timeout, self._timeout, self.allowed_s = self._timeout, None, 0.0
        if timeout is not None:
            await timeout.__aexit__(kind, error, trace)

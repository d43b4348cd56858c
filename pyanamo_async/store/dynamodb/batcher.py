"""Natural batching: what is ready together travels together, and nothing waits for company.

A lone request goes at once. While requests are under way, others gather: until one is answered, or until there are as
many as are under way, which then go beside them. So few wait shortly, many share few sendings, no timer adds latency,
and the busier the table, the fuller the batches. A sending that takes much longer than they do has been lost on its
way, perhaps, and is no longer waited for.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Hashable, Sequence
from typing import Generic, TypeVar

In = TypeVar("In")
Out = TypeVar("Out")

FIRST_LATENCY_S = 0.05
WEIGHT = 1 / 8  # of the latest answer in the usual latency
LATE = 4  # times as long as usual
LATE_AT_LEAST_S = 0.25


class Batcher(Generic[In, Out]):
    """Sends what is submitted, up to `most` at a time, with up to `in_flight` sendings under way.

    `send` answers each of its requests in their order, with an exception for those that failed alone. No two requests
    of one `key` travel in one batch.
    """

    def __init__(
        self,
        send: Callable[[Sequence[In]], Awaitable[Sequence[Out | Exception]]],
        *,
        key: Callable[[In], Hashable],
        most: int,
        in_flight: int,
    ) -> None:
        self._send, self._key, self._most, self._in_flight = send, key, most, in_flight
        self._waiting: deque[tuple[In, asyncio.Future[Out]]] = deque()
        self._sending: dict[asyncio.Task[None], tuple[int, float]] = {}  # how many requests, since when
        self._latency_s = FIRST_LATENCY_S
        self._called = False
        self._timer: asyncio.TimerHandle | None = None

    def submit(self, request: In) -> asyncio.Future[Out]:
        """Take a request; its answer comes by the future. One that is cancelled before it is sent, is not sent."""
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[Out] = loop.create_future()
        self._waiting.append((request, answer))
        if not self._called:
            if self._may_go():
                self._called = True
                loop.call_soon(self._start)  # after all that is ready now has been submitted
            elif self._timer is None:
                self._timer = loop.call_later(self._late_s, self._look_again)
        return answer

    async def close(self) -> None:
        """Wait for what is under way."""
        while self._sending:
            await asyncio.wait(self._sending)
        if self._timer is not None:
            self._timer.cancel()

    def _start(self) -> None:
        self._called = False
        while self._may_go() and (batch := self._next()):
            sending = asyncio.create_task(self._run(batch), name="batch")
            self._sending[sending] = len(batch), asyncio.get_running_loop().time()
            sending.add_done_callback(self._sent)

    def _may_go(self) -> bool:
        if len(self._sending) >= self._in_flight:
            return False
        late = asyncio.get_running_loop().time() - self._late_s
        under_way = sum(requests for requests, since in self._sending.values() if since > late)
        return not under_way or len(self._waiting) >= min(under_way, self._most)

    @property
    def _late_s(self) -> float:
        return max(LATE_AT_LEAST_S, LATE * self._latency_s)

    def _look_again(self) -> None:
        self._timer = None
        self._start()
        if self._waiting:
            self._timer = asyncio.get_running_loop().call_later(self._late_s, self._look_again)

    def _sent(self, sending: asyncio.Task[None]) -> None:
        _, since = self._sending.pop(sending)
        self._latency_s += WEIGHT * (asyncio.get_running_loop().time() - since - self._latency_s)
        self._start()

    def _next(self) -> list[tuple[In, asyncio.Future[Out]]]:
        batch: dict[Hashable, tuple[In, asyncio.Future[Out]]] = {}
        later: list[tuple[In, asyncio.Future[Out]]] = []
        while self._waiting and len(batch) < self._most:
            request, answer = self._waiting.popleft()
            if answer.cancelled():
                continue
            key = self._key(request)
            if key in batch:
                later.append((request, answer))
            else:
                batch[key] = request, answer
        self._waiting.extendleft(reversed(later))
        return list(batch.values())

    async def _run(self, batch: list[tuple[In, asyncio.Future[Out]]]) -> None:
        try:
            results: Sequence[Out | Exception] = await self._send([request for request, _ in batch])
        except asyncio.CancelledError:
            for _, answer in batch:
                answer.cancel()
            raise
        except Exception as exc:  # noqa: BLE001 - not handled here: it goes to those who wait for the answers
            results = [exc] * len(batch)
        for (_, answer), result in zip(batch, results, strict=True):
            if answer.done():
                continue
            if isinstance(result, Exception):
                answer.set_exception(result)
            else:
                answer.set_result(result)

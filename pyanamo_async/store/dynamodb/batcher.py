"""Natural batching: requests that are ready together travel together, and none waits for company.

A lone request goes at once. While a batch is under way, requests gather until it is answered. So batches fill as the
table gets busier, and no timer adds latency. Claims and settles of 8 slots with scripts that do nothing share
requests: three for four items. (Two batches under way at once send four for four, for a fifth more CPU. But with one,
a lost reply holds up the others until its request times out; scripts run on.)
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Hashable, Sequence
from typing import Generic, TypeVar

In = TypeVar("In")
Out = TypeVar("Out")


class Batcher(Generic[In, Out]):
    """Sends what is submitted, up to `most` in a batch, one batch after the other.

    `send` answers each request of a batch in order, with an exception for those that failed alone. No two requests of
    one `key` travel in one batch.
    """

    def __init__(
        self,
        send: Callable[[Sequence[In]], Awaitable[Sequence[Out | Exception]]],
        *,
        key: Callable[[In], Hashable],
        most: int,
    ) -> None:
        self._send, self._key, self._most = send, key, most
        self._waiting: deque[tuple[In, asyncio.Future[Out]]] = deque()
        self._sending: asyncio.Task[None] | None = None
        self._is_called = False

    def submit(self, request: In) -> asyncio.Future[Out]:
        """Take a request and return its answer to come. A request cancelled before it is sent is not sent."""
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[Out] = loop.create_future()
        self._waiting.append((request, answer))
        if not self._is_called:
            self._is_called = True
            loop.call_soon(self._start)  # after all that is ready now has been submitted
        return answer

    async def close(self) -> None:
        """Wait for what is under way."""
        while self._sending is not None:
            await asyncio.wait([self._sending])

    def _start(self) -> None:
        self._is_called = False
        if self._sending is None and (batch := self._next()):
            self._sending = asyncio.create_task(self._run(batch), name="batch")
            self._sending.add_done_callback(self._sent)

    def _sent(self, _: asyncio.Task[None]) -> None:
        self._sending = None
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
        except Exception as exc:  # noqa: BLE001 - it is passed on to all whose answer it is
            results = [exc] * len(batch)
        for (_, answer), result in zip(batch, results, strict=True):
            if answer.done():
                continue
            if isinstance(result, Exception):
                answer.set_exception(result)
            else:
                answer.set_result(result)

"""The way between a worker and the table: it takes time, and it may lose, repeat and delay what travels on it.

Laws:

1. Requests and replies are lost each for themselves. A request whose reply is lost has taken effect.
2. A write may arrive again, minutes later; so may one whose sender gave up, or did not live to see the answer.
3. A sender hears of a loss only by getting no answer in time.
4. A throttled request of one write is sent three times, as botocore's standard mode does.
"""

# ruff: noqa: ANN401 - requests and replies are whatever botocore has

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from contextvars import Context
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from botocore.exceptions import ClientError, ReadTimeoutError

from pyanamo_async.store.dynamodb.rows import TABLE_ROW, WORKER_ROW
from simulation.facts import LATENCY_S
from simulation.language import KEY
from simulation.service import THROTTLED, Service

NETWORK = Context()
"""Where things happen that belong to no process."""

TAIL = 0.5  # sigma of the lognormal latency
SENDINGS = 3
WRITES = frozenset({"put_item", "update_item", "delete_item", "batch_execute_statement"})
REPEATED_WITHIN_S = 300.0
SLOW_S = 8.0


@dataclass(frozen=True, slots=True)
class Network:
    """How requests and replies travel. Shares are of requests; losses are drawn for requests and replies alike."""

    latency_s: float = LATENCY_S  # of a request and its reply together
    lost: float = 0.0
    repeated: float = 0.0
    slow: float = 0.0  # by up to 8 s
    lost_notifications: float = 0.0
    repeated_heartbeats: float = 0.0
    gives_up_after_s: float = 6.0


@dataclass(slots=True)
class Events:
    """Observers of replies, as botocore's clients have them; all are called for each reply."""

    handlers: list[Callable[..., object]] = field(default_factory=list)

    def register(self, event_name: str, handler: Callable[..., object]) -> None:  # noqa: ARG002
        self.handlers.append(handler)

    def emit(self, parsed: Any) -> None:
        for handler in self.handlers:
            handler(parsed=parsed)


@dataclass(slots=True)
class Meta:
    """What botocore's clients carry beside their operations."""

    events: Events = field(default_factory=Events)


class Client:
    """What the product's store takes for a client of DynamoDB.

    `on_heartbeat` observes the arrival of heartbeats, `on_answered_heartbeat` their replies, by when they were sent.
    """

    def __init__(
        self,
        service: Service,
        rng: random.Random,
        network: Network = Network(),  # frozen
        *,
        sender: str = "",
        on_heartbeat: Callable[[], None] = lambda: None,
        on_answered_heartbeat: Callable[[float], None] = lambda _: None,
    ) -> None:
        self._service, self._rng, self._network = service, rng, network
        self._sender, self._on_heartbeat, self._on_answered = sender, on_heartbeat, on_answered_heartbeat
        self.meta = Meta()
        self._is_cut = False
        self._held_back: list[Callable[[], None]] = []
        self._repeats: list[float] = []
        self._losses = 0

    def __getattr__(self, operation: str) -> Callable[..., Awaitable[Any]]:
        return partial(self._ask, operation)

    def cut(self) -> None:
        """Let nothing through, in either direction."""
        self._is_cut = True

    def mend(self) -> None:
        """Let everything through again, and deliver what the network kept."""
        self._is_cut = False
        held_back, self._held_back = self._held_back, []
        for send in held_back:
            send()

    def repeat_next_write(self, after_s: float) -> None:
        """Deliver the next write that is no heartbeat a second time, so much later."""
        self._repeats.append(after_s)

    def lose_next_reply(self) -> None:
        """Lose the reply to the next write."""
        self._losses += 1

    async def _ask(self, operation: str, **asked: Any) -> Any:
        for sending in range(SENDINGS):
            try:
                answer = await self._send(operation, asked)
            except ClientError as refused:
                self.meta.events.emit(refused.response)
                if refused.response["Error"].get("Message") != THROTTLED or sending + 1 == SENDINGS:
                    raise
            else:
                self.meta.events.emit(answer)
                return answer
            await asyncio.sleep(self._rng.random() * 2**sending)
        raise AssertionError("the last sending returns or raises")

    def _send(self, operation: str, asked: dict[str, Any]) -> asyncio.Future[Any]:
        loop = asyncio.get_running_loop()
        reply: asyncio.Future[Any] = loop.create_future()
        if self._is_heartbeat(operation, asked):
            reply.add_done_callback(partial(self._answered, loop.time()), context=NETWORK)

        def send(answered: asyncio.Future[Any] | None = reply) -> None:
            _later(self._journey_s(), self._arrive, operation, asked, answered)

        if self._is_lost(operation, asked):
            self._give_up(reply)
            if self._is_cut and self._rng.random() < 0.5:
                self._held_back.append(partial(send, None))
            return reply
        send()
        for after_s in self._repeated_after_s(operation, asked):
            _later(after_s, self._arrive, operation, asked, None)
        return reply

    def _answered(self, sent_s: float, reply: asyncio.Future[Any]) -> None:
        if not reply.cancelled() and reply.exception() is None:
            self._on_answered(sent_s)

    def _is_heartbeat(self, operation: str, asked: dict[str, Any]) -> bool:
        """Return whether a request updates the sender's own row; that of another it marks as dead."""
        return _is_update_of(operation, asked, f"{WORKER_ROW}{self._sender}")

    def _is_lost(self, operation: str, asked: dict[str, Any]) -> bool:
        network = self._network
        if self._is_cut or self._chance(network.lost):
            return True
        return _is_update_of(operation, asked, TABLE_ROW) and self._chance(network.lost_notifications)

    def _repeated_after_s(self, operation: str, asked: dict[str, Any]) -> list[float]:
        network = self._network
        if operation not in WRITES:
            return []
        repeats: list[float] = []
        if not (is_heartbeat := self._is_heartbeat(operation, asked)):
            repeats, self._repeats = self._repeats, repeats
        if self._chance(network.repeated):
            repeats.append(self._rng.random() * REPEATED_WITHIN_S)
        if is_heartbeat and self._chance(network.repeated_heartbeats):
            repeats.append(REPEATED_WITHIN_S * (1 + self._rng.random()))
        return repeats

    def _arrive(self, operation: str, asked: dict[str, Any], reply: asyncio.Future[Any] | None) -> None:
        answer: Any = None
        error: Exception | None = None
        try:
            answer = self._service.answer(operation, asked, sender=self._sender)
        except Exception as exc:  # noqa: BLE001 - not handled here: it is the answer
            error = exc
        if reply is None:
            return
        if error is None and self._is_heartbeat(operation, asked):
            self._on_heartbeat()
        loses = operation in WRITES and self._losses > 0
        self._losses -= loses
        if self._is_cut or loses or self._chance(self._network.lost):
            self._give_up(reply)
        else:
            _later(self._journey_s(), _resolve, reply, answer, error)

    def _give_up(self, reply: asyncio.Future[Any]) -> None:
        timeout = ReadTimeoutError(endpoint_url="https://dynamodb.invalid")
        _later(self._rng.random() * self._network.gives_up_after_s, _resolve, reply, None, timeout)

    def _journey_s(self) -> float:
        """Choose how long a request or a reply travels."""
        slow_s = self._rng.random() * SLOW_S if self._chance(self._network.slow) else 0.0
        return slow_s + self._network.latency_s / 2 * self._rng.lognormvariate(-TAIL * TAIL / 2, TAIL)

    def _chance(self, share: float) -> bool:
        return share > 0 and self._rng.random() < share


def _is_update_of(operation: str, asked: dict[str, Any], row: str) -> bool:
    return operation == "update_item" and str(asked["Key"][KEY]["S"]).startswith(row)


def _later(seconds: float, what: Callable[..., None], *args: Any) -> None:
    asyncio.get_running_loop().call_later(seconds, what, *args, context=NETWORK)


def _resolve(reply: asyncio.Future[Any], answer: object, error: Exception | None) -> None:
    if reply.done():
        return  # the caller was cancelled meanwhile
    if error is None:
        reply.set_result(answer)
    else:
        reply.set_exception(error)

"""A service in bad weather: what stands between a program and a test server, and fails as it is told to.

It runs in a thread of its own. Each request is passed on, unless the weather of the moment has something else for it:
refused in the service's own words, lost on its way there or back, late, answered by somebody else, or damaged.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import random
from collections import Counter
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from aiohttp import ClientSession, ClientTimeout, web

from harness.program import PATIENCE_S

SLOW_S = 1.0
HOP_BY_HOP = {"connection", "content-length", "keep-alive", "transfer-encoding", "date", "server", "expect"}
LARGEST = 64 << 20
PORTAL = "<!DOCTYPE html><html><body>Please log in to our network.</body></html>"


class Fault(StrEnum):
    """What may happen to a request."""

    NONE = "passed on"
    THROTTLED = "throttled"
    EXPIRED = "expired"
    DENIED = "denied"
    BROKEN = "broken"
    UNAVAILABLE = "unavailable"
    LOST = "lost"  # reset before it was passed on
    UNANSWERED = "unanswered"  # reset afterwards
    SLOW = "slow"
    SILENT = "silent"  # not passed on, and never answered
    FOREIGN = "foreign"  # not passed on, and answered with 200 and a web page
    DAMAGED = "damaged"  # the first byte of the reply is another
    MISCOUNTED = "miscounted"  # the reply's checksum is no number


STORM = {
    Fault.THROTTLED: 10,
    Fault.BROKEN: 2,
    Fault.UNAVAILABLE: 2,
    Fault.LOST: 2,
    Fault.UNANSWERED: 2,
    Fault.SLOW: 1,
    Fault.FOREIGN: 2,
    Fault.DAMAGED: 2,
    Fault.MISCOUNTED: 1,
    Fault.NONE: 26,
}
Weather = Callable[[str], Fault]
"""Chooses what happens to a request, by its operation (`UpdateItem`, or `PUT` for S3)."""


def fair(_: str) -> Fault:
    """Pass everything on."""
    return Fault.NONE


def always(fault: Fault, *operations: str) -> Weather:
    """Let one thing happen to all requests, or to those of some operations."""
    return lambda operation: fault if not operations or operation in operations else Fault.NONE


def stormy(seed: int) -> Weather:
    """Throttle every fifth request, and let everything else happen once or twice in fifty."""
    rng, fifty = random.Random(seed), [fault for fault, times in STORM.items() for _ in range(times)]
    shuffled = (fault for _ in itertools.count() for fault in rng.sample(fifty, len(fifty)))
    return lambda _: next(shuffled)


@dataclass
class Proxy:
    """A server at `address` that passes requests on to `upstream`; `weather` may be changed at any time."""

    upstream: str
    weather: Weather = fair
    seen: Counter[tuple[str, Fault]] = field(default_factory=Counter)
    address: str = ""
    opened: Future[asyncio.AbstractEventLoop] = field(default_factory=Future)

    def away(self) -> None:
        """Close every connection and refuse new ones."""
        self._do(self._close())

    def back(self) -> None:
        """Listen again, at the same address."""
        self._do(self._listen())

    def count(self, fault: Fault, *operations: str) -> int:
        """Count the requests to which this happened."""
        return sum(times for (operation, what), times in self.seen.items() if what is fault and operation in operations)

    def _do(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self.opened.result()).result(timeout=PATIENCE_S)

    async def serve(self) -> None:
        """Serve until `end`."""
        self._ended = asyncio.Event()
        self._runner = web.ServerRunner(web.Server(self._answer, access_log=None, auto_decompress=False))
        self._port = 0
        async with ClientSession(auto_decompress=False, timeout=ClientTimeout(total=PATIENCE_S)) as self._session:
            await self._runner.setup()
            await self._listen()
            self.opened.set_result(asyncio.get_running_loop())
            await self._ended.wait()
            await self._close()
            await self._runner.cleanup()

    def end(self) -> None:
        """Stop serving."""
        self.opened.result().call_soon_threadsafe(self._ended.set)

    async def _listen(self) -> None:
        self._site = web.TCPSite(self._runner, "127.0.0.1", self._port, reuse_address=True)
        await self._site.start()
        self._port = self._runner.addresses[0][1]
        self.address = f"http://127.0.0.1:{self._port}"

    async def _close(self) -> None:
        if self._site in self._runner.sites:
            await self._site.stop()
        server: Any = self._runner.server
        for connection in server.connections:
            connection.force_close()
            if connection.transport is not None:
                connection.transport.abort()

    async def _answer(self, request: web.BaseRequest) -> web.StreamResponse:
        request._client_max_size = LARGEST
        if "Expect" in request.headers and request.transport is not None:
            request.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")  # S3 clients wait for it before they send a body
        body = await request.read()
        operation = request.headers.get("X-Amz-Target", request.method).rpartition(".")[2]
        fault = self.weather(operation)
        self.seen[operation, fault] += 1
        if fault in REFUSALS:
            return _refusal(fault, request)
        if fault is Fault.LOST:
            return _reset(request)
        if fault is Fault.SILENT:
            await self._ended.wait()
        if fault is Fault.FOREIGN:
            return web.Response(text=PORTAL, content_type="text/html")
        if fault is Fault.SLOW:
            await asyncio.sleep(SLOW_S)
        answer = await self._pass_on(request, body)
        if fault is Fault.DAMAGED and isinstance(answer.body, bytes):
            answer.body = b"#" + answer.body[1:] if answer.body else b""
        if fault is Fault.MISCOUNTED:
            answer.headers["x-amz-crc32"] = "plenty"
        return _reset(request) if fault is Fault.UNANSWERED else answer

    async def _pass_on(self, request: web.BaseRequest, body: bytes) -> web.Response:
        headers = {name: value for name, value in request.headers.items() if name.lower() not in HOP_BY_HOP}
        url = self.upstream + request.raw_path
        async with self._session.request(request.method, url, headers=headers, data=body) as answer:
            content = await answer.read()
            kept = {name: value for name, value in answer.headers.items() if name.lower() not in HOP_BY_HOP}
        return web.Response(status=answer.status, headers=kept, body=content)


REFUSALS = {
    Fault.THROTTLED: (400, "ThrottlingException", 503, "SlowDown"),
    Fault.EXPIRED: (400, "ExpiredTokenException", 400, "ExpiredToken"),
    Fault.DENIED: (400, "AccessDeniedException", 403, "AccessDenied"),
    Fault.BROKEN: (500, "InternalServerError", 500, "InternalError"),
    Fault.UNAVAILABLE: (503, "ServiceUnavailable", 503, "ServiceUnavailable"),
}
"""Status and code of DynamoDB, and of S3."""


def _refusal(fault: Fault, request: web.BaseRequest) -> web.Response:
    status, code, s3_status, s3_code = REFUSALS[fault]
    if "X-Amz-Target" not in request.headers:
        text = f"<Error><Code>{s3_code}</Code><Message>the weather</Message></Error>"
        return web.Response(status=s3_status, text=text, content_type="application/xml")
    said = json.dumps({"__type": f"com.amazonaws.dynamodb.v20120810#{code}", "message": "the weather"})
    return web.Response(status=status, text=said, content_type="application/x-amz-json-1.0")


def _reset(request: web.BaseRequest) -> web.Response:
    if request.transport is not None:
        request.transport.abort()
    return web.Response()


@contextmanager
def proxied(upstream: str, weather: Weather = fair) -> Iterator[Proxy]:
    """Serve between a program and `upstream`."""
    proxy = Proxy(upstream, weather)
    with ThreadPoolExecutor(1, thread_name_prefix="proxy") as thread:
        serving = thread.submit(lambda: asyncio.run(proxy.serve()))
        either: list[Future[Any]] = [serving, proxy.opened]
        wait(either, return_when=FIRST_COMPLETED)
        if serving.done():
            serving.result()
        try:
            yield proxy
        finally:
            proxy.end()
            serving.result()

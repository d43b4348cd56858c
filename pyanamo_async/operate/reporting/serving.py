"""Serve a report to browsers of this machine, redrawn as its tables change.

1. It listens on loopback only. Whoever else uses this machine does not know the path, which begins with a random token,
   and no page of another site gets in: the Host header must be ours, also where a name leads to loopback.
2. Requests only read: anything but GET is refused. A request is small, and comes soon, or is dropped.
3. A page is drawn when somebody asks for it and the tables have changed, by one at a time, and not before three times
   as long has passed as the last one took: looking leaves the machine to others, however large the table.
"""

from __future__ import annotations

import asyncio
import hmac
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from http import HTTPStatus

from pyanamo_async.core.text.visible import one_line
from pyanamo_async.errors import PyanamoError, UsageError
from pyanamo_async.ports import Clock

LOOPBACK = "127.0.0.1"
LONGEST_REQUEST = 8192  # bytes
SOONEST_S = 10.0  # in which a request must have come
REST = 3  # times as long as the last page took to draw, before the next
HEADERS = (
    "Cache-Control: no-store",
    "Content-Security-Policy: frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy: same-origin",
    "Referrer-Policy: no-referrer",
    "X-Content-Type-Options: nosniff",
    "Connection: close",
)


@dataclass(frozen=True, slots=True)
class Reply:
    """What a request is answered with."""

    status: HTTPStatus
    body: bytes = b""
    kind: str = "text/plain; charset=utf-8"

    def encode(self) -> bytes:
        """Return it as HTTP/1.1 writes it."""
        body = self.body or f"{self.status.phrase}\n".encode()
        first = f"HTTP/1.1 {self.status.value} {self.status.phrase}"
        lines = (first, f"Content-Type: {self.kind}", f"Content-Length: {len(body)}", *HEADERS, "", "")
        return "\r\n".join(lines).encode() + body


class ReportServer:
    """Serves the page that `draw` returns for a version; `changed` makes the next version."""

    def __init__(self, draw: Callable[[str], Awaitable[bytes]], clock: Clock) -> None:
        self._draw, self._clock = draw, clock
        self._token = secrets.token_urlsafe(24)
        self._hosts: frozenset[bytes] = frozenset()
        self._version = 0
        self._drawn: tuple[int, bytes] | None = None
        self._not_before = 0.0
        self._drawing = asyncio.Lock()

    def changed(self) -> None:
        """Note that a table has changed since the last page may have been drawn."""
        self._version += 1

    async def serve(self, port: int, ready: Callable[[str], None]) -> None:
        """Serve until cancelled; `ready` hears the address when it can be opened.

        Raises:
            UsageError: the port cannot be listened on.
        """
        try:
            server = await asyncio.start_server(self._connection, LOOPBACK, port, limit=LONGEST_REQUEST)
        except (OSError, OverflowError) as error:
            raise UsageError(f"`port` {port} cannot be listened on", hint="choose another, or none") from error
        port = server.sockets[0].getsockname()[1]
        self._hosts = frozenset(f"{name}:{port}".encode() for name in (LOOPBACK, "localhost"))
        async with server:
            ready(f"http://{LOOPBACK}:{port}/{self._token}/")
            await server.serve_forever()

    async def _connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(SOONEST_S):
                request = await reader.readuntil(b"\r\n\r\n")
            writer.write((await self._answer(request)).encode())
            await writer.drain()
        except (OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass  # whoever asked is gone, or was no browser
        finally:
            writer.close()

    async def _answer(self, request: bytes) -> Reply:
        try:
            return await self.reply(request)
        except PyanamoError as error:  # the table does not answer, or is gone
            return Reply(HTTPStatus.SERVICE_UNAVAILABLE, f"{one_line(str(error))}\n".encode())

    async def reply(self, request: bytes) -> Reply:
        """Answer the head of a request."""
        first, *headers = request.split(b"\r\n")
        method, _, rest = first.partition(b" ")
        pairs = (each.partition(b":") for each in headers)
        hosts = [value.strip().lower() for name, _, value in pairs if name.lower() == b"host"]
        if len(hosts) != 1 or hosts[0] not in self._hosts:
            return Reply(HTTPStatus.MISDIRECTED_REQUEST)
        prefix, path = f"/{self._token}/".encode(), rest.partition(b" ")[0]
        if not hmac.compare_digest(path[: len(prefix)], prefix):
            return Reply(HTTPStatus.NOT_FOUND)
        if method != b"GET":
            return Reply(HTTPStatus.METHOD_NOT_ALLOWED)
        match path[len(prefix) :]:
            case b"":
                return Reply(HTTPStatus.OK, (await self._page())[1], "text/html; charset=utf-8")
            case b"version":
                return Reply(HTTPStatus.OK, str(self._version_to_see()).encode())
        return Reply(HTTPStatus.NOT_FOUND)

    async def _page(self) -> tuple[int, bytes]:
        async with self._drawing:
            version = self._version_to_see()
            if self._drawn is None or self._drawn[0] != version:
                began = self._clock.monotonic()
                self._drawn = version, await self._draw(str(version))
                ended = self._clock.monotonic()
                self._not_before = ended + REST * (ended - began)
            return self._drawn

    def _version_to_see(self) -> int:
        """Return the newest version that may be drawn now."""
        if self._drawn and self._clock.monotonic() < self._not_before:
            return self._drawn[0]
        return self._version

"""A network between a client and a server that fails on demand."""

from __future__ import annotations

import asyncio
import re
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from urllib.parse import urlsplit

CHUNK_BYTES = 1 << 16


class Proxy:
    """Passes bytes on, unless a failure was set up.

    `down` ends all connections and refuses new ones, `up` ends that; `refused` counts the refusals. Requests that match
    `hold` are held back until `open` is set. The response to the first request that matches an expression of `lose` is
    lost. `cut` lists after how many bytes of responses connections break, one after the other. `requests` are the first
    lines of the requests.
    """

    def __init__(self, upstream: str) -> None:
        self.requests: list[str] = []
        self.lose: list[str] = []
        self.cut: list[int] = []
        self.hold = "^$"
        self.open = asyncio.Event()
        self.url = ""
        self._upstream = urlsplit(upstream)
        self.refused = 0
        self._refuse = 0
        self._more = asyncio.Event()
        self._connections: set[asyncio.Task[None]] = set()

    def down(self, *, refusals: int = sys.maxsize) -> None:
        """Go down, until so many connections were refused."""
        self._refuse = refusals
        for connection in self._connections:
            connection.cancel()

    def up(self) -> None:
        self._refuse = 0

    async def asked(self, times: int) -> None:
        """Wait until so many requests have come."""
        while len(self.requests) < times:
            self._more.clear()
            await self._more.wait()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection."""
        task = asyncio.current_task()
        assert task is not None
        self._connections.add(task)
        try:
            if self._refuse:
                self._refuse -= 1
                self.refused += 1
            else:
                with suppress(OSError, asyncio.CancelledError):
                    await self._pass_on(reader, writer)
        finally:
            self._connections.discard(task)
            writer.transport.abort()

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        server_reader, server_writer = await asyncio.open_connection(self._upstream.hostname, self._upstream.port)
        lost = asyncio.Event()
        try:
            ways = {
                asyncio.ensure_future(self._requests(reader, server_writer, lost)),
                asyncio.ensure_future(self._answers(server_reader, writer, lost)),
            }
            try:
                await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for way in ways:
                    way.cancel()
                await asyncio.gather(*ways, return_exceptions=True)
        finally:
            server_writer.transport.abort()

    async def _requests(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, lost: asyncio.Event) -> None:
        while chunk := await reader.read(CHUNK_BYTES):
            if line := re.match(rb"[A-Z]+ \S+ HTTP", chunk):
                self.requests.append(line[0].decode())
                self._more.set()
                if forgotten := [wanted for wanted in self.lose if re.search(wanted, self.requests[-1])]:
                    self.lose.remove(forgotten[0])
                    lost.set()
                if re.search(self.hold, self.requests[-1]):
                    await self.open.wait()
            writer.write(chunk)
            await writer.drain()

    async def _answers(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, lost: asyncio.Event) -> None:
        left = self.cut.pop(0) if self.cut else None
        while chunk := await reader.read(CHUNK_BYTES):
            if lost.is_set() and not chunk.startswith(b"HTTP/1.1 100"):
                return
            writer.write(chunk if left is None else chunk[:left])
            await writer.drain()
            if left is not None:
                left -= len(chunk)
                if left <= 0:
                    return


@asynccontextmanager
async def proxied(upstream: str) -> AsyncIterator[Proxy]:
    """Stand between a client and `upstream`."""
    proxy = Proxy(upstream)
    server = await asyncio.start_server(proxy.serve, "127.0.0.1", 0)
    proxy.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    async with server:
        yield proxy
        proxy.down()

"""A served report answers its own path on its own host, and nothing else."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

import pytest

from pyanamo_async.errors import Unavailable, UsageError
from pyanamo_async.operate.reporting.serving import LONGEST_REQUEST, ReportServer
from tests.fakes import FakeClock


class Drawer:
    """Draws pages that say their version, each in a second."""

    def __init__(self, clock: FakeClock) -> None:
        self.drawn: list[str] = []
        self.error: Exception | None = None
        self._clock = clock

    async def __call__(self, version: str) -> bytes:
        if self.error:
            raise self.error
        self.drawn.append(version)
        self._clock.advance(timedelta(seconds=1))
        return f"page {version}".encode()


@asynccontextmanager
async def serving(server: ReportServer) -> AsyncIterator[tuple[int, str]]:
    """Serve, and give the port and the secret path."""
    address: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    running = asyncio.create_task(server.serve(0, address.set_result))
    try:
        _, _, host, path = (await address).split("/", 3)
        yield int(host.removeprefix("127.0.0.1:")), f"/{path}"
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def ask(port: int, head: str) -> tuple[int, str, str]:
    """Send the head of a request; return the status, the headers and the body of the reply, 0 if there is none."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(head.replace("\n", "\r\n").encode())
        reply = (await reader.read()).decode()
    except ConnectionError:
        reply = ""
    finally:
        writer.close()
    headers, _, body = reply.partition("\r\n\r\n")
    return int(headers.split(" ")[1]) if headers else 0, headers, body


async def test_only_its_own_path_and_host_are_answered() -> None:
    """Neither a guess, nor a name that leads here, nor a form of another site gets the page."""
    draw = Drawer(FakeClock())
    async with serving(ReportServer(draw, FakeClock())) as (port, path):
        host = f"Host: 127.0.0.1:{port}\n\n"
        refused = {
            f"GET / HTTP/1.1\n{host}": 404,
            f"GET {path[:-2]}x/ HTTP/1.1\n{host}": 404,
            f"GET {path}x HTTP/1.1\n{host}": 404,
            f"GET {path} HTTP/1.1\n\n": 421,
            f"GET {path} HTTP/1.1\nHost: evil.example:{port}\n\n": 421,
            f"GET {path} HTTP/1.1\nHost: 127.0.0.1\n\n": 421,
            f"GET {path} HTTP/1.1\nHost: evil.example\n{host}": 421,
            f"POST {path} HTTP/1.1\n{host}": 405,
            f"HEAD {path} HTTP/1.1\n{host}": 405,
            f"GET {path} HTTP/1.1\nX: {'x' * 2 * LONGEST_REQUEST}\n{host}": 0,
            "\n\n": 421,
        }
        for head, status in refused.items():
            assert ((await ask(port, head))[0], draw.drawn) == (status, []), head

        status, headers, body = await ask(port, f"GET {path} HTTP/1.1\nhost: LOCALHOST:{port}\n\n")
        assert (status, body) == (200, "page 0")
        assert "Content-Security-Policy: frame-ancestors 'none'" in headers
        assert "Cache-Control: no-store" in headers
        assert "Access-Control-Allow-Origin" not in headers


async def test_a_page_is_drawn_anew_when_its_tables_changed_and_there_is_time() -> None:
    """However often somebody looks, a quarter of the time goes into drawing."""
    clock = FakeClock()
    draw = Drawer(clock)
    server = ReportServer(draw, clock)
    async with serving(server) as (port, path):
        end = f" HTTP/1.1\nHost: 127.0.0.1:{port}\n\n"

        async def seen() -> tuple[str, str]:
            return (await ask(port, f"GET {path}version{end}"))[2], (await ask(port, f"GET {path}{end}"))[2]

        assert [await seen(), await seen()] == [("0", "page 0"), ("0", "page 0")]
        server.changed()
        assert await seen() == ("0", "page 0")
        clock.advance(timedelta(seconds=3))
        assert await seen() == ("1", "page 1")
        assert draw.drawn == ["0", "1"]


async def test_a_table_that_does_not_answer_is_told() -> None:
    """And asked again the next time."""
    clock = FakeClock()
    draw = Drawer(clock)
    async with serving(ReportServer(draw, clock)) as (port, path):
        head = f"GET {path} HTTP/1.1\nHost: 127.0.0.1:{port}\n\n"
        draw.error = Unavailable("the table\ndoes not answer")

        assert (await ask(port, head))[::2] == (503, "the table does not answer\n")
        draw.error = None
        assert (await ask(port, head))[::2] == (200, "page 0")


async def test_a_port_that_is_taken_is_named() -> None:
    """Whoever gave it can give another."""
    clock = FakeClock()
    async with serving(ReportServer(Drawer(clock), clock)) as (port, _):
        with pytest.raises(UsageError, match=f"`port` {port} cannot be listened on"):
            await ReportServer(Drawer(clock), clock).serve(port, print)

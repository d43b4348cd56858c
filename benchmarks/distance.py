"""A server that is farther away: whatever passes arrives some milliseconds later, each way, and in order.

A table of AWS answers a batch after about 10 ms, most of it spent in the network and in the service; DynamoDB Local has
no network, and its time is taken from the client's.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from urllib.parse import urlsplit

CHUNK = 1 << 16


@contextmanager
def farther(endpoint: str, one_way_s: float) -> Iterator[str]:
    """Relay to `endpoint` from a thread of its own for as long as the block lasts; gives the address to call."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="distance", daemon=True)
    thread.start()
    try:
        port = asyncio.run_coroutine_threadsafe(_listen(endpoint, one_way_s), loop).result()
        yield f"http://127.0.0.1:{port}"
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()


async def _listen(endpoint: str, one_way_s: float) -> int:
    there = urlsplit(endpoint)

    async def relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_connection(there.hostname, there.port)
        await asyncio.gather(_carry(reader, far_writer, one_way_s), _carry(far_reader, writer, one_way_s))

    server = await asyncio.start_server(relay, "127.0.0.1", 0)
    port: int = server.sockets[0].getsockname()[1]
    return port


async def _carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, one_way_s: float) -> None:
    loop = asyncio.get_running_loop()
    with suppress(ConnectionError):
        while chunk := await reader.read(CHUNK):
            loop.call_later(one_way_s, writer.write, chunk)
    loop.call_later(one_way_s, writer.close)

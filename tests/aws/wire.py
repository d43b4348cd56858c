"""A server that answers as it is told, and remembers what it was sent."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from zlib import crc32

GONE = 0
"""The status of a connection that is cut instead."""


@dataclass(frozen=True, slots=True)
class Told:
    """An answer: its status and JSON; `spoilt` gives it a checksum that is not its own."""

    status: int = 200
    said: dict[str, object] = field(default_factory=dict)
    spoilt: bool = False


@dataclass(frozen=True, slots=True)
class Request:
    """What was sent: the first line, the headers by their names in lower case, the body."""

    line: str
    headers: dict[str, str]
    body: bytes


@asynccontextmanager
async def answering(*answers: Told) -> AsyncIterator[tuple[str, list[Request]]]:
    """Serve the answers one after the other; tell the address, and the list that fills with requests."""
    left, seen = list(answers), list[Request]()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(asyncio.IncompleteReadError, ConnectionError):  # the client has left
            while True:
                seen.append(await _read(reader))
                answer = left.pop(0)
                if answer.status == GONE:
                    break
                writer.write(_written(answer))
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        yield f"http://127.0.0.1:{port}", seen


async def _read(reader: asyncio.StreamReader) -> Request:
    head = (await reader.readuntil(b"\r\n\r\n")).decode()
    line, *lines = head.split("\r\n")[:-2]
    headers = {name.lower(): value for name, _, value in (each.partition(": ") for each in lines)}
    return Request(line, headers, await reader.readexactly(int(headers["content-length"])))


def _written(answer: Told) -> bytes:
    body = json.dumps(answer.said).encode()
    head = (
        f"HTTP/1.1 {answer.status} OK",
        "Content-Type: application/x-amz-json-1.0",
        f"Content-Length: {len(body)}",
        f"x-amz-crc32: {crc32(body) ^ answer.spoilt}",
        "x-amzn-RequestId: 4711",
    )
    return "\r\n".join((*head, "", "")).encode() + body

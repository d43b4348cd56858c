"""A server that gives prepared answers and records the requests it receives."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from zlib import crc32

CUT = 0
"""The status of a connection that is cut instead of answered."""


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer: status, content (JSON unless it is bytes) and headers; `spoilt` gives it a wrong checksum."""

    status: int = 200
    content: Mapping[str, object] | bytes = field(default_factory=dict)
    headers: tuple[str, ...] = ()
    spoilt: bool = False


@dataclass(frozen=True, slots=True)
class Request:
    """What was sent: the first line, the headers by their names in lower case, the body."""

    line: str
    headers: dict[str, str]
    body: bytes


@asynccontextmanager
async def answering(*answers: Answer) -> AsyncIterator[tuple[str, list[Request]]]:
    """Serve the answers in turn, then cut connections; yield the address, and the list that fills with requests."""
    left, seen = list(answers), list[Request]()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(asyncio.IncompleteReadError, ConnectionError):  # the client has left
            while True:
                seen.append(await _read(reader, writer))
                answer = left.pop(0) if left else Answer(CUT)
                if answer.status == CUT:
                    break
                writer.write(_written(answer))
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        yield f"http://127.0.0.1:{port}", seen


async def _read(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> Request:
    head = (await reader.readuntil(b"\r\n\r\n")).decode()
    line, *lines = head.split("\r\n")[:-2]
    headers = {name.lower(): value for name, _, value in (each.partition(": ") for each in lines)}
    if "expect" in headers:
        writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
    return Request(line, headers, await reader.readexactly(int(headers.get("content-length", 0))))


def _written(answer: Answer) -> bytes:
    body = answer.content if isinstance(answer.content, bytes) else json.dumps(answer.content).encode()
    head = (
        f"HTTP/1.1 {answer.status} OK",
        "Content-Type: application/x-amz-json-1.0",
        f"Content-Length: {len(body)}",
        f"x-amz-crc32: {crc32(body) ^ answer.spoilt}",
        "x-amzn-RequestId: 4711",
        *answer.headers,
    )
    return "\r\n".join((*head, "", "")).encode() + body

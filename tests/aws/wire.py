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
    """An answer: status, content (JSON unless it is bytes) and headers.

    Its checksum is that of `checked`, by default the content; `checksum` is another, or None for none. With `drop_s`
    it comes byte by byte, with so many seconds between.
    """

    status: int = 200
    content: Mapping[str, object] | bytes = field(default_factory=dict)
    headers: tuple[str, ...] = ()
    type: str = "application/x-amz-json-1.0"
    checksum: str | None = ""
    checked: bytes | None = None
    drop_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Request:
    """What was sent: the first line, the headers by their names in lower case, the body."""

    line: str
    headers: dict[str, str]
    body: bytes


@asynccontextmanager
async def answering(*answers: Answer, left: list[Answer] | None = None) -> AsyncIterator[tuple[str, list[Request]]]:
    """Serve the answers in turn, then cut connections; yield the address, and the list that fills with requests.

    Those in `left` may be changed meanwhile.
    """
    left, seen = list(answers) if left is None else left, list[Request]()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(asyncio.IncompleteReadError, ConnectionError):  # the client has left
            while True:
                seen.append(await _read(reader, writer))
                answer = left.pop(0) if left else Answer(CUT)
                if answer.status == CUT:
                    break
                head, body = _written(answer)
                writer.write(head if answer.drop_s else head + body)
                for byte in body if answer.drop_s else b"":
                    await _pause(answer.drop_s)
                    writer.write(bytes([byte]))
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


async def _pause(seconds: float) -> None:
    """Sleep, also where a test has taken the pauses of botocore's retries away."""
    passed = asyncio.Event()
    asyncio.get_running_loop().call_later(seconds, passed.set)
    await passed.wait()


def _written(answer: Answer) -> tuple[bytes, bytes]:
    body = answer.content if isinstance(answer.content, bytes) else json.dumps(answer.content).encode()
    checksum = answer.checksum or str(crc32(body if answer.checked is None else answer.checked))
    head = (
        f"HTTP/1.1 {answer.status} OK",
        f"Content-Type: {answer.type}",
        f"Content-Length: {len(body)}",
        *([] if answer.checksum is None else [f"x-amz-crc32: {checksum}"]),
        "x-amzn-RequestId: 4711",
        *answer.headers,
    )
    return "\r\n".join((*head, "", "")).encode("latin-1"), body

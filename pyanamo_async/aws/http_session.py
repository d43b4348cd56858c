"""Send the HTTP requests of AWS clients with aiohttp, without following redirects.

aiobotocore's own session lets aiohttp follow redirects, and so sends the session token to any address that an answer
names. botocore does not need them: a redirect of S3 names a region, and botocore finds that out by itself.

Laws:
1. A redirect is an answer like any other: nothing is sent to where it points.
2. Certificates are verified, also behind a proxy, and read once for all clients of a process (25 ms of CPU).
3. Errors are botocore's own, so that botocore retries the request.
4. A reply that is damaged, or that does not come from the service but from a proxy, is such an error. botocore itself
   parses a reply before it checks the checksum, and finally accepts one whose checksum is wrong.
5. Every reply ends: one that becomes too large, or arrives too slowly, is given up.
"""

from __future__ import annotations

import asyncio
import io
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from ssl import SSLContext
from typing import Any, Self
from zlib import crc32

import aiohttp
import orjson
from aiobotocore.awsrequest import AioAWSResponse
from botocore.exceptions import HTTPClientError
from botocore.httpsession import ProxyConfiguration, create_urllib3_context, get_cert_path
from yarl import URL

LARGEST_REPLY_BYTES = 64 << 20  # DynamoDB sends up to 16 MB of rows
READ_TIMEOUTS = 6  # how many of them a whole reply may take
SLOWEST_BYTES_PER_S = 64 << 10  # the slowest network on which sending output still works
DYNAMODB = "application/x-amz-json-1.0"  # the type of its requests and replies
FIRST_ERROR = 300


class HttpSession:
    """The connections of one client: what `AioConfig(http_session_cls=...)` takes."""

    def __init__(
        self,
        *,
        timeout: tuple[float, float],
        verify: bool | str,
        proxies: Mapping[str, str] | None,
        client_cert: str | tuple[str, str] | None,
        max_pool_connections: int,
        connector_args: Mapping[str, Any],
        **_: object,  # socket options and settings of proxies, which nothing here configures
    ) -> None:
        connect_s, read_s = timeout
        self._timeout = aiohttp.ClientTimeout(sock_connect=connect_s, sock_read=read_s)
        self._reply_within_s = connect_s + READ_TIMEOUTS * read_s
        self._tls = _tls(verify, client_cert)
        self._proxies = ProxyConfiguration(proxies=proxies)
        self._connector_args = {"limit": max_pool_connections, **connector_args}
        self._session: aiohttp.ClientSession

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(ssl=self._tls, **self._connector_args),
            timeout=self._timeout,
            skip_auto_headers={"Content-Type"},
            auto_decompress=False,
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Close all connections."""
        await self._session.close()

    async def send(self, request: Any) -> AioAWSResponse:  # noqa: ANN401 - botocore's, prepared
        """Send a request; return its answer, read whole unless the operation streams it."""
        headers = {name: _text(value) for name, value in request.headers.items()} | {"Accept-Encoding": "identity"}
        chunked = headers.pop("Transfer-Encoding", "").lower() == "chunked"  # aiohttp wants it as an argument
        body_bytes = int(headers.get("X-Amz-Decoded-Content-Length") or headers.get("Content-Length") or 0)
        try:
            async with asyncio.timeout(self._reply_within_s + body_bytes / SLOWEST_BYTES_PER_S):
                reply = await self._request(request, headers, chunked=chunked)
                names = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in reply.raw_headers}
                raw: Any = reply
                if not request.stream_output or reply.status >= FIRST_ERROR:
                    raw = _Content(await _read(reply))
        except (aiohttp.ClientError, TimeoutError) as exc:
            raise _SendingFailed(request=request, error=str(exc) or "the reply takes too long") from exc
        if isinstance(raw, _Content) and (fault := _fault(headers, names, raw.content)):
            raise _SendingFailed(request=request, error=f"the reply (HTTP status {reply.status}) {fault}")
        return AioAWSResponse(str(reply.url), reply.status, names, raw)  # type: ignore[arg-type] # as aiobotocore

    async def _request(self, request: Any, headers: dict[str, str], *, chunked: bool) -> aiohttp.ClientResponse:  # noqa: ANN401 - as above
        proxy = self._proxies.proxy_url_for(request.url)
        return await self._session.request(
            request.method,
            URL(request.url, encoded=True),
            headers=headers,
            data=_KeptOpen(request.body) if isinstance(request.body, io.IOBase) else request.body,
            chunked=chunked or None,
            proxy=proxy,
            proxy_headers=self._proxies.proxy_headers_for(proxy) if proxy else None,
            allow_redirects=False,
        )


async def _read(reply: aiohttp.ClientResponse) -> bytes:
    """Read a reply whole, unless it is too large."""
    content = bytearray()
    try:
        async for chunk in reply.content.iter_any():
            content += chunk
            if len(content) > LARGEST_REPLY_BYTES:
                break
        else:
            return bytes(content)
    finally:
        reply.close()  # without effect on the connection once all was read
    raise aiohttp.ClientPayloadError(f"the reply is larger than {LARGEST_REPLY_BYTES >> 20} MiB")


def _fault(request: Mapping[str, str], reply: Mapping[str, str], content: bytes) -> str:
    """Return what is wrong with a reply that is damaged or not from the service; empty if it is sound.

    `request` and `reply` are headers, those of the reply in lower case.
    """
    checksum = reply.get("x-amz-crc32")
    if checksum is not None:
        return "" if checksum == str(crc32(content)) else "is damaged: its checksum is wrong"
    if request.get("Content-Type") == DYNAMODB:
        if not reply.get("content-type", "").startswith(DYNAMODB):
            return f"is not from DynamoDB: its content type is {reply.get('content-type', 'missing')}"
        return "" if _is_object(content) else "is damaged: it is not a JSON object"
    return "is a web page" if content[:1000].lstrip().lower().startswith((b"<!doctype html", b"<html")) else ""


def _is_object(content: bytes) -> bool:
    try:
        return isinstance(orjson.loads(content), dict)
    except ValueError:
        return False


@dataclass(frozen=True, slots=True)
class _Content:
    """The content of a reply, in place of the stream from which botocore would read it."""

    content: bytes

    async def read(self) -> bytes:
        return self.content


class _SendingFailed(HTTPClientError):
    fmt = "{error}"  # the words of aiohttp, which name the host


class _KeptOpen(io.RawIOBase):
    """A file that stays open when aiohttp closes what it has sent: a retry sends it again."""

    def __init__(self, file: io.IOBase) -> None:
        self._file: Any = file

    def read(self, size: int = -1) -> bytes:
        content: bytes = self._file.read(size)
        return content

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        return int(self._file.seek(offset, whence))

    def tell(self) -> int:
        return int(self._file.tell())

    def fileno(self) -> int:
        return int(self._file.fileno())


@cache
def _tls(verify: bool | str, client_cert: str | tuple[str, str] | None) -> SSLContext | bool:
    if not verify:
        return False
    context: SSLContext = create_urllib3_context()
    context.load_verify_locations(get_cert_path(verify))  # type: ignore[arg-type] # a path, too
    if client_cert:
        context.load_cert_chain(*([client_cert] if isinstance(client_cert, str) else client_cert))
    return context


def _text(value: str | bytes) -> str:
    return value.decode() if isinstance(value, bytes) else value

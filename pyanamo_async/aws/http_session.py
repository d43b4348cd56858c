"""Carry the HTTP requests of AWS clients, through aiohttp, without following redirects.

aiobotocore's own session lets aiohttp follow them, which sends the session token on to wherever the answer points.
botocore itself follows none: S3's redirects name a region, and it finds that by itself.

Laws:
1. A redirect is an answer like any other: nothing is sent to where it points.
2. Certificates are verified, also behind a proxy, and read once for all clients of a process (25 ms of CPU).
3. An error is one of botocore's, so that botocore retries it.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from functools import cache
from ssl import SSLContext
from typing import Any, Self

import aiohttp
from aiobotocore.awsrequest import AioAWSResponse
from botocore.exceptions import HTTPClientError
from botocore.httpsession import ProxyConfiguration, create_urllib3_context, get_cert_path
from yarl import URL


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
        proxy = self._proxies.proxy_url_for(request.url)
        try:
            reply = await self._session.request(
                request.method,
                URL(request.url, encoded=True),
                headers=headers,
                data=_KeptOpen(request.body) if isinstance(request.body, io.IOBase) else request.body,
                chunked=chunked or None,
                proxy=proxy,
                proxy_headers=self._proxies.proxy_headers_for(proxy) if proxy else None,
                allow_redirects=False,
            )
            names = {name.decode().lower(): value.decode() for name, value in reply.raw_headers}
            answer: Any = AioAWSResponse(str(reply.url), reply.status, names, reply)  # type: ignore[arg-type] # as aiobotocore
            if not request.stream_output:
                await answer.content
        except (aiohttp.ClientError, TimeoutError) as exc:
            raise _SendingFailed(request=request, error=exc) from exc
        return answer  # type: ignore[no-any-return]


class _SendingFailed(HTTPClientError):
    fmt = "{error}"  # in words of aiohttp's, which name the host


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

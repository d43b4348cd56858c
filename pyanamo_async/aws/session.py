"""One AWS session for the life of the process, and one client for each role.

Laws:
1. A client is made once, when it is first asked for: making one blocks the loop for 30 to 150 ms.
2. The user's configuration of botocore applies: profile, region, endpoints, checksums, proxies, certificates. We choose
   timeouts, retries and pools.
3. Heartbeats, claims and settles have a client of their own, so that no throttled read takes a connection from them.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import urlsplit

from pyanamo_async.aws.errors import translated
from pyanamo_async.aws.meter import Meter
from pyanamo_async.aws.service_clock import ServiceClock

if TYPE_CHECKING:
    import aioboto3
    from aiobotocore.session import AioSession
    from types_aiobotocore_dynamodb.client import DynamoDBClient
    from types_aiobotocore_s3.client import S3Client

SMALLEST_POOL = 10
AMAZON = (".amazonaws.com", ".amazonaws.com.cn", ".api.aws")  # endpoints of VPCs and of FIPS among them
KEEPALIVE_S = 60.0  # a heartbeat comes every 20 s; idle connections would be closed after 12 s
ONE_ATTEMPT, METADATA_ATTEMPTS = 1, 3  # botocore's default, and ours: thousands of workers ask when they start
USER_AGENT = "pyanamo-async aiobotocore"  # botocore assembles its own for every request: 0.1 ms of CPU


@dataclass(frozen=True, slots=True)
class _Role:
    service: str
    read_timeout_s: float = 10
    connect_timeout_s: float = 3
    attempts: int = 3


USUAL = _Role("dynamodb")
URGENT = _Role("dynamodb", read_timeout_s=5, connect_timeout_s=2)  # the lease may expire while it waits
OBJECTS = _Role("s3", read_timeout_s=30)  # S3 answers only when a part of 128 MiB is stored


class Aws:
    """The session of a process; enter it before asking for clients.

    `concurrency` is how many requests of one kind may be under way at once; pools hold twice as many connections.
    A `meter` counts what requests to DynamoDB cost.
    """

    def __init__(self, *, region: str | None = None, concurrency: int = 16, meter: Meter | None = None) -> None:
        self._region = region
        self._meter = meter
        self.service_clock = ServiceClock()
        self._connections = max(SMALLEST_POOL, 2 * concurrency)
        self._clients: dict[_Role, Any] = {}
        self._making = asyncio.Lock()
        self._stack = AsyncExitStack()
        self._session: AioSession | None = None
        self._maker: aioboto3.Session

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        self._clients.clear()
        await self._stack.aclose()

    async def dynamodb(self) -> DynamoDBClient:
        """Return the client for imports and reads; raise `Denied` without a region."""
        client: DynamoDBClient = await self._client(USUAL)
        return client

    async def urgent(self) -> DynamoDBClient:
        """Return the client for heartbeats, claims and settles: its own connections, shorter timeouts."""
        client: DynamoDBClient = await self._client(URGENT)
        return client

    async def s3(self) -> S3Client:
        """Return the client for output."""
        client: S3Client = await self._client(OBJECTS)
        return client

    async def client(self, service: str) -> Any:  # noqa: ANN401 - each service has a client type of its own
        """Return a client for another service, like `logs` or `batch`."""
        return await self._client(_Role(service))

    async def _client(self, role: _Role) -> Any:  # noqa: ANN401 - as above
        async with self._making:
            if role not in self._clients:
                with translated(f"AWS {role.service}"):
                    self._clients[role] = await self._make(role)
        return self._clients[role]

    async def _make(self, role: _Role) -> Any:  # noqa: ANN401 - as above
        import aioboto3
        from aiobotocore.config import AioConfig
        from aiobotocore.session import AioSession

        from pyanamo_async.aws.http_session import HttpSession
        from pyanamo_async.aws.replies import ResponseParsers, read_as_json

        if self._session is None:
            self._session = AioSession()
            self._session.register_component("response_parser_factory", ResponseParsers())
            if self._region is not None:
                self._session.set_config_variable("region", self._region)
            if self._session.get_config_variable("metadata_service_num_attempts") == ONE_ATTEMPT:
                self._session.set_config_variable("metadata_service_num_attempts", METADATA_ATTEMPTS)
            self._maker = aioboto3.Session(botocore_session=self._session)
        http: Any = HttpSession
        config = AioConfig(
            connector_args={"keepalive_timeout": KEEPALIVE_S},
            http_session_cls=http,
            connect_timeout=role.connect_timeout_s,
            read_timeout=role.read_timeout_s,
            retries={"mode": "standard", "total_max_attempts": role.attempts},
            max_pool_connections=self._connections,
            user_agent=USER_AGENT,
            parameter_validation=role.service != "dynamodb",  # a third of a request's CPU; ours are tested
            **(_for_other_servers(self._session) if role.service == "s3" else {}),
        )
        make: Any = self._maker.client
        client = await self._stack.enter_async_context(make(role.service, config=config))
        if role.service == "dynamodb":
            read_as_json(client)
            self.service_clock.listen(client)
            if self._meter is not None:
                self._meter.attach(client)
        return client


def _for_other_servers(session: AioSession) -> dict[str, Any]:
    """Return what S3-compatible servers need, if the endpoint is one and the user chose nothing else."""
    profile = session.get_scoped_config()
    endpoint = _s3_endpoint(session, profile)
    if not endpoint or (urlsplit(endpoint).hostname or "").endswith(AMAZON):
        return {}
    chosen: dict[str, Any] = {}
    for setting in ("request_checksum_calculation", "response_checksum_validation"):
        if f"AWS_{setting.upper()}" not in os.environ and setting not in profile:
            chosen[setting] = "when_required"
    if "s3" not in profile:
        chosen["s3"] = {"addressing_style": "path"}
    return chosen


def _s3_endpoint(session: AioSession, profile: Mapping[str, Any]) -> str:
    """Return the endpoint that is configured for S3, in the order in which botocore looks; empty for none.

    Source: "Service-specific endpoints" in the AWS SDKs and Tools Reference Guide.
    """
    if session.get_config_variable("ignore_configured_endpoint_urls"):
        return ""
    services = session.full_config.get("services", {}).get(profile.get("services"), {})
    places = (
        os.environ.get("AWS_ENDPOINT_URL_S3"),
        os.environ.get("AWS_ENDPOINT_URL"),
        services.get("s3", {}).get("endpoint_url"),
        profile.get("endpoint_url"),
    )
    return next((each for each in places if each), "")

"""Ask the metadata service of an EC2 instance for facts about it, such as a Spot interruption that is about to come.

1. Requests have a session token, or none if the service does not give one (version 1). Trouble is reported once,
   whatever was asked for: one cause is one line in the log.
2. No request is sent outside EC2, so nothing waits for an answer there.
3. A Spot notice comes two minutes before the interruption; on Fargate the notice is SIGTERM. No other answer of the
   service ends a worker.

Source: Amazon EC2 user guide, "Use the Instance Metadata Service", "Detect whether a host is an EC2 instance" and "Spot
Instance interruption notices".
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Mapping
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING

import orjson

if TYPE_CHECKING:
    import aiohttp

ENDPOINT = "http://169.254.169.254"
TOKEN_TTL_S = 21600
POLL_S = 5.0  # for a Spot notice
ANSWER_S = 1.0  # the timeout of AWS's own tools
LONGEST = 1000  # in bytes, of a token or answer
INSTANCE_ID = re.compile(r"i-[0-9a-f]{8,17}")


def metadata_endpoint(
    environ: Mapping[str, str],
    *,
    vendor: Path = Path("/sys/class/dmi/id/sys_vendor"),
    hypervisor: Path = Path("/sys/hypervisor/uuid"),
) -> str:
    """Return the address of the service; empty outside EC2, or where it is disabled.

    The environment variables are botocore's. A Nitro instance is known by its vendor, a Xen instance by its identifier.
    """
    if environ.get("AWS_EC2_METADATA_DISABLED", "").lower() == "true" or "FARGATE" in environ.get(
        "AWS_EXECUTION_ENV", ""
    ):
        return ""
    if named := environ.get("AWS_EC2_METADATA_SERVICE_ENDPOINT"):
        return named.rstrip("/")
    is_ec2 = b"Amazon EC2" in _content(vendor) or _content(hypervisor).lower().startswith(b"ec2")
    return ENDPOINT if is_ec2 else ""


class InstanceMetadata:
    """The metadata service at an address; `on_trouble` is called once if there is no session token, or no answer."""

    def __init__(
        self, endpoint: str, *, on_trouble: Callable[[str], None] = lambda _: None, answer_s: float = ANSWER_S
    ) -> None:
        self._endpoint, self._on_trouble, self._answer_s = endpoint, on_trouble, answer_s
        self._token = ""
        self._told = False

    def tell(self, trouble: str) -> None:
        """Report trouble, unless some was reported before."""
        if not self._told:
            self._told = True
            self._on_trouble(f"instance metadata: {trouble}")

    async def read(self, path: str) -> str:
        """Return what is at a path below `latest/meta-data/`; empty if there is nothing, or no answer."""
        import aiohttp

        failures = (aiohttp.ClientError, OSError, ValueError)  # TimeoutError is an OSError
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=self._answer_s)) as session:
            trouble = ""
            try:
                self._token = self._token or await self._new_token(session)
            except failures as exc:
                trouble = f"no session token: {str(exc) or 'no answer'}"
            try:
                status, text = await self._get(session, path)
            except failures as exc:
                self.tell(trouble or f"no answer: {str(exc) or 'none in time'}")
                return ""
        if status == HTTPStatus.UNAUTHORIZED:
            self._token = ""  # it is too old, or there was none
        if trouble:
            self.tell(trouble)
        return text

    async def instance_id(self) -> str:
        """Return the id of the instance; empty if the service does not give one."""
        text = await self.read("instance-id")
        if text and not INSTANCE_ID.fullmatch(text):
            self.tell("the answer to the request for the instance id is not an id")
            return ""
        return text

    async def _new_token(self, session: aiohttp.ClientSession) -> str:
        """Return a session token; raise `ValueError` if the answer is not a token."""
        ttl = {"X-aws-ec2-metadata-token-ttl-seconds": str(TOKEN_TTL_S)}
        url = f"{self._endpoint}/latest/api/token"
        async with session.put(url, headers=ttl, allow_redirects=False) as answer:
            token = (await answer.content.read(LONGEST)).decode("ascii")
        if not answer.ok or not re.fullmatch(r"[!-~]+", token):
            raise ValueError(f"the answer has status {answer.status} and is not a token")
        return token

    async def _get(self, session: aiohttp.ClientSession, path: str) -> tuple[int, str]:
        headers = {"X-aws-ec2-metadata-token": self._token} if self._token else {}
        url = f"{self._endpoint}/latest/meta-data/{path}"
        async with session.get(url, headers=headers, allow_redirects=False) as answer:
            text = (await answer.content.read(LONGEST)).decode() if answer.status == HTTPStatus.OK else ""
        return answer.status, text


def _content(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError:
        return b""


async def interruption(metadata: InstanceMetadata, *, poll_s: float = POLL_S) -> str:
    """Wait until EC2 announces an interruption, and return the notice; wait for ever if this is not a Spot instance."""
    while True:
        notice = await metadata.read("spot/instance-action")
        if _is_notice(notice):
            return f"Spot notice: {' '.join(notice.split())}"
        if notice:
            metadata.tell("a notice without an action")
        await asyncio.sleep(poll_s)


def _is_notice(text: str) -> bool:
    try:
        notice = orjson.loads(text)
    except ValueError:
        return False
    return isinstance(notice, dict) and "action" in notice

"""Learn from EC2 that it is about to interrupt this Spot instance.

The notice comes two minutes ahead, in the instance metadata. It is polled only on EC2: elsewhere there is no such
service, and on Fargate the notice is SIGTERM.

1. It is asked for with a session token, and without one where none is to be had (version 1). That is noted once.
2. Nothing that the service says ends a worker, but a notice.

Source: Amazon EC2 user guide, "Spot Instance interruption notices", "Use the Instance Metadata Service" and "Detect
whether a host is an EC2 instance".
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Callable, Mapping
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import aiohttp

ENDPOINT = "http://169.254.169.254"
POLL_S = 5.0
TOKEN_TTL_S = 21600
ANSWER_S = 2.0
LONGEST = 1000  # in bytes, of a token or notice


def metadata_endpoint(
    environ: Mapping[str, str],
    *,
    vendor: Path = Path("/sys/class/dmi/id/sys_vendor"),
    hypervisor: Path = Path("/sys/hypervisor/uuid"),
) -> str:
    """Return the address that is polled for notices; empty outside EC2, or where the metadata service is disabled.

    The variables are botocore's own. Nitro instances have a vendor, those on Xen an identifier.
    """
    if environ.get("AWS_EC2_METADATA_DISABLED", "").lower() == "true" or "FARGATE" in environ.get(
        "AWS_EXECUTION_ENV", ""
    ):
        return ""
    if named := environ.get("AWS_EC2_METADATA_SERVICE_ENDPOINT"):
        return named.rstrip("/")
    is_ec2 = b"Amazon EC2" in _content(vendor) or _content(hypervisor).lower().startswith(b"ec2")
    return ENDPOINT if is_ec2 else ""


async def interruption(
    endpoint: str, *, on_trouble: Callable[[str], None] = lambda _: None, poll_s: float = POLL_S
) -> str:
    """Wait until EC2 announces an interruption, and return the notice; wait for ever on other than Spot instances.

    `on_trouble` is told once why notices are read without a token, or not at all.
    """
    import aiohttp

    failures = (aiohttp.ClientError, OSError, ValueError)  # TimeoutError is an OSError
    token, told = "", False
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=ANSWER_S)) as session:
        while True:
            trouble, notice = "", ""
            try:
                token = token or await _token(session, endpoint)
            except failures as exc:
                trouble = f"no session token: {str(exc) or 'no answer'}"
            try:
                status, notice = await _notice(session, endpoint, token)
                if status == HTTPStatus.UNAUTHORIZED:
                    token = ""  # it is too old, or there was none
            except failures as exc:
                trouble = trouble or f"no answer: {str(exc) or 'none in time'}"
            if notice:
                return f"Spot notice: {notice}"
            if trouble and not told:
                told = True
                on_trouble(f"instance metadata: {trouble}")
            await asyncio.sleep(poll_s)


async def _token(session: aiohttp.ClientSession, endpoint: str) -> str:
    """Return a session token; raise `ValueError` for an answer that is none."""
    ttl = {"X-aws-ec2-metadata-token-ttl-seconds": str(TOKEN_TTL_S)}
    async with session.put(f"{endpoint}/latest/api/token", headers=ttl, allow_redirects=False) as answer:
        token = (await answer.content.read(LONGEST)).decode("ascii")
    if not answer.ok or not re.fullmatch(r"[!-~]+", token):
        raise ValueError(f"the answer to the request for one has status {answer.status}, and is none")
    return token


async def _notice(session: aiohttp.ClientSession, endpoint: str, token: str) -> tuple[int, str]:
    """Return the status, and the notice if there is one; raise `ValueError` for one that is no notice."""
    headers = {"X-aws-ec2-metadata-token": token} if token else {}
    url = f"{endpoint}/latest/meta-data/spot/instance-action"
    async with session.get(url, headers=headers, allow_redirects=False) as answer:
        text = (await answer.content.read(LONGEST)).decode() if answer.status == HTTPStatus.OK else ""
    if text and not (isinstance(notice := json.loads(text), dict) and "action" in notice):
        raise ValueError("a notice without an action")
    return answer.status, " ".join(text.split())


def _content(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError:
        return b""

"""Learn from EC2 that it is about to interrupt this Spot instance.

The notice comes two minutes ahead, in the instance metadata (version 2, with a session token). It is polled only on
EC2: elsewhere there is no such service, and on Fargate the notice is SIGTERM.
Source: Amazon EC2 user guide, "Spot Instance interruption notices" and "Use the Instance Metadata Service".
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import aiohttp

ENDPOINT = "http://169.254.169.254"
POLL_S = 5.0
TOKEN_TTL_S = 21600
ANSWER_S = 2.0


def metadata_endpoint(environ: Mapping[str, str], *, vendor: Path = Path("/sys/class/dmi/id/sys_vendor")) -> str:
    """Return the address that is polled for notices; empty outside EC2, or where the metadata service is disabled.

    The variables are botocore's own.
    """
    if environ.get("AWS_EC2_METADATA_DISABLED", "").lower() == "true" or "FARGATE" in environ.get(
        "AWS_EXECUTION_ENV", ""
    ):
        return ""
    if named := environ.get("AWS_EC2_METADATA_SERVICE_ENDPOINT"):
        return named.rstrip("/")
    try:
        return ENDPOINT if "Amazon EC2" in vendor.read_text() else ""
    except OSError:
        return ""


async def interruption(endpoint: str, *, poll_s: float = POLL_S) -> str:
    """Wait until EC2 announces an interruption, and return the notice; wait for ever on other than Spot instances."""
    import aiohttp

    timeout = aiohttp.ClientTimeout(total=ANSWER_S)
    async with aiohttp.ClientSession(timeout=timeout) as session:
        while True:
            try:
                notice = await _notice(session, endpoint)
            except (aiohttp.ClientError, TimeoutError):
                notice = ""  # the next poll asks again
            if notice:
                return f"Spot notice: {notice}"
            await asyncio.sleep(poll_s)


async def _notice(session: aiohttp.ClientSession, endpoint: str) -> str:
    ttl = {"X-aws-ec2-metadata-token-ttl-seconds": str(TOKEN_TTL_S)}
    async with session.put(f"{endpoint}/latest/api/token", headers=ttl) as answer:
        token = await answer.text() if answer.ok else ""
    headers = {"X-aws-ec2-metadata-token": token}
    async with session.get(f"{endpoint}/latest/meta-data/spot/instance-action", headers=headers) as answer:
        return await answer.text() if answer.ok else ""

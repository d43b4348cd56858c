"""Learn from EC2 that it is about to interrupt this Spot instance.

The notice comes two minutes ahead, in the instance metadata. It is polled only on EC2: elsewhere there is no such
service, and on Fargate the notice is SIGTERM. Nothing that the service says ends a worker, but a notice.

Source: Amazon EC2 user guide, "Spot Instance interruption notices".
"""

from __future__ import annotations

import asyncio

import orjson

from pyanamo_async.aws.instance_metadata import InstanceMetadata

POLL_S = 5.0


async def interruption(metadata: InstanceMetadata, *, poll_s: float = POLL_S) -> str:
    """Wait until EC2 announces an interruption, and return the notice; wait for ever on other than Spot instances."""
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

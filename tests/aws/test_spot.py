"""Spot notices, from a metadata service of our own."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from aiohttp import web

from pyanamo_async.aws.spot import ENDPOINT, interruption, metadata_endpoint


async def test_a_notice_ends_the_wait() -> None:
    """It is asked with a session token, and again until there is a notice; trouble is no notice."""
    answers = iter([web.Response(status=500), web.Response(status=404), web.Response(text='{"action": "terminate"}')])

    async def token(request: web.Request) -> web.Response:
        assert request.headers["X-aws-ec2-metadata-token-ttl-seconds"]
        return web.Response(text="secret")

    async def action(request: web.Request) -> web.Response:
        assert request.headers["X-aws-ec2-metadata-token"] == "secret"
        return next(answers)

    app = web.Application()
    app.router.add_put("/latest/api/token", token)
    app.router.add_get("/latest/meta-data/spot/instance-action", action)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        async with asyncio.timeout(20):
            notice = await interruption(site.name, poll_s=0.01)
    finally:
        await runner.cleanup()

    assert notice == 'Spot notice: {"action": "terminate"}'


@pytest.mark.parametrize(
    ("environ", "vendor", "endpoint"),
    [
        ({}, "Amazon EC2\n", ENDPOINT),
        ({}, "QEMU\n", ""),
        ({}, None, ""),
        ({"AWS_EXECUTION_ENV": "AWS_ECS_FARGATE"}, "Amazon EC2\n", ""),
        ({"AWS_EC2_METADATA_DISABLED": "true"}, "Amazon EC2\n", ""),
        ({"AWS_EC2_METADATA_SERVICE_ENDPOINT": "http://127.0.0.1:1/"}, None, "http://127.0.0.1:1"),
    ],
)
def test_only_ec2_is_asked(environ: dict[str, str], vendor: str | None, endpoint: str, tmp_path: Path) -> None:
    """Nobody waits for an answer where there is nobody to give one."""
    file = tmp_path / "sys_vendor"
    if vendor is not None:
        file.write_text(vendor)

    assert metadata_endpoint(environ, vendor=file) == endpoint

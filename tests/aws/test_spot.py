"""Spot notices, from a metadata service of our own."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from aiohttp import web

from pyanamo_async.aws.instance_metadata import ENDPOINT, InstanceMetadata, interruption, metadata_endpoint

NOTICE = '{"action": "terminate"}'


class Metadata:
    """A metadata service: gives prepared answers in turn, the last for ever, and keeps the tokens it was shown."""

    def __init__(self, tokens: list[web.Response | None], actions: list[web.Response]) -> None:
        self.shown: list[str | None] = []
        self._tokens, self._actions = tokens, actions
        self._ended = asyncio.Event()

    async def token(self, request: web.Request) -> web.Response:
        assert request.headers["X-aws-ec2-metadata-token-ttl-seconds"]
        answer = self._tokens.pop(0) if len(self._tokens) > 1 else self._tokens[0]
        if answer is None:
            await self._ended.wait()  # as where the hop limit drops the answer
        return (
            web.Response()
            if answer is None
            else web.Response(status=answer.status, body=answer.body, headers=answer.headers)
        )

    async def action(self, request: web.Request) -> web.Response:
        self.shown.append(request.headers.get("X-aws-ec2-metadata-token"))
        answer = self._actions.pop(0) if len(self._actions) > 1 else self._actions[0]
        return web.Response(status=answer.status, body=answer.body)

    async def wait(self) -> tuple[str, list[str]]:
        """Serve until a notice has come; return it, and the troubles that were told."""
        app = web.Application()
        app.router.add_put("/latest/api/token", self.token)
        app.router.add_get("/latest/meta-data/spot/instance-action", self.action)
        runner = web.AppRunner(app)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        told: list[str] = []
        try:
            async with asyncio.timeout(60):
                metadata = InstanceMetadata(site.name, on_trouble=told.append)
                return await interruption(metadata, poll_s=0.01), told
        finally:
            self._ended.set()
            await runner.cleanup()


async def test_a_notice_ends_the_wait() -> None:
    """It is asked with a session token, and again until there is a notice; no notice is no trouble."""
    service = Metadata(
        [web.Response(text="secret")],
        [web.Response(status=500), web.Response(status=404), web.Response(text=NOTICE)],
    )

    assert await service.wait() == (f"Spot notice: {NOTICE}", [])
    assert service.shown == ["secret"] * 3


async def test_a_token_that_is_too_old_is_renewed() -> None:
    """The service refuses it; the next poll asks for another."""
    service = Metadata(
        [web.Response(text="old"), web.Response(text="new")],
        [web.Response(status=404), web.Response(status=401), web.Response(text=NOTICE)],
    )

    await service.wait()
    assert service.shown == ["old", "old", "new"]


@pytest.mark.parametrize(
    "token",
    [
        None,
        web.Response(status=403),
        web.Response(status=200),
        web.Response(text="se\r\nX-Evil: cret"),
        web.Response(body=b"\xff\xfe"),
        web.Response(text="gehe\u00efm"),
    ],
    ids=["no answer", "forbidden", "empty", "CR LF", "not text", "not ASCII"],
)
async def test_without_a_token_version_1_is_asked_and_that_is_told_once(token: web.Response | None) -> None:
    """A hop limit of 1 lets no token into a container; where tokens are optional, notices can be read all the same."""
    service = Metadata([token], [web.Response(status=404), web.Response(text=NOTICE)])
    notice, told = await service.wait()

    assert notice == f"Spot notice: {NOTICE}"
    assert set(service.shown) == {None}
    assert len(told) == 1
    assert "token" in told[0]


@pytest.mark.parametrize("junk", [b"\xff\xfe", b"<html>", b'"action"', b"[]", b"3", b"{}"])
async def test_what_is_no_notice_ends_no_worker(junk: bytes) -> None:
    """It is told, and asked again."""
    service = Metadata([web.Response(text="secret")], [web.Response(body=junk), web.Response(text=NOTICE)])
    notice, told = await service.wait()

    assert notice == f"Spot notice: {NOTICE}"
    assert len(told) == 1


@pytest.mark.parametrize(
    ("environ", "vendor", "endpoint"),
    [
        ({}, b"Amazon EC2\n", ENDPOINT),
        ({}, b"QEMU\n", ""),
        ({}, b"\xff", ""),
        ({}, None, ""),
        ({"AWS_EXECUTION_ENV": "AWS_ECS_FARGATE"}, b"Amazon EC2\n", ""),
        ({"AWS_EC2_METADATA_DISABLED": "true"}, b"Amazon EC2\n", ""),
        ({"AWS_EC2_METADATA_SERVICE_ENDPOINT": "http://127.0.0.1:1/"}, None, "http://127.0.0.1:1"),
    ],
)
def test_only_ec2_is_asked(environ: dict[str, str], vendor: bytes | None, endpoint: str, tmp_path: Path) -> None:
    """Nobody waits for an answer where there is nobody to give one."""
    file = tmp_path / "sys_vendor"
    if vendor is not None:
        file.write_bytes(vendor)

    assert metadata_endpoint(environ, vendor=file, hypervisor=tmp_path / "none") == endpoint


@pytest.mark.parametrize(("uuid", "endpoint"), [("ec2e1916-9099", ENDPOINT), ("EC2E1916", ENDPOINT), ("0000", "")])
def test_an_instance_on_xen_is_known_by_its_hypervisor(uuid: str, endpoint: str, tmp_path: Path) -> None:
    """Its vendor is Xen."""
    vendor, hypervisor = tmp_path / "sys_vendor", tmp_path / "uuid"
    vendor.write_text("Xen\n")
    hypervisor.write_text(uuid)

    assert metadata_endpoint({}, vendor=vendor, hypervisor=hypervisor) == endpoint

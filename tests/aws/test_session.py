"""One session, and clients that are made once and as the user configured them."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from pyanamo_async.aws.errors import translated
from pyanamo_async.aws.session import Aws
from pyanamo_async.errors import Denied


@pytest.fixture(autouse=True)
def _account(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")


async def test_a_client_is_made_once_however_many_ask() -> None:
    """Making one blocks the loop: all who ask at once get the same."""
    async with Aws() as aws:
        clients = await asyncio.gather(*(aws.dynamodb() for _ in range(5)))

        assert len(set(map(id, clients))) == 1


async def test_heartbeats_and_saves_have_connections_of_their_own() -> None:
    """The urgent client shares nothing with the other, and waits less."""
    async with Aws(concurrency=40) as aws:
        usual: Any = await aws.dynamodb()
        urgent: Any = await aws.urgent()

        assert usual is not urgent
        assert urgent.meta.config.read_timeout < usual.meta.config.read_timeout
        assert usual.meta.config.max_pool_connections >= 80
        assert usual.meta.config.retries["mode"] == "standard"
        assert urgent.meta.config.connector_args["keepalive_timeout"] > 20  # outlives the pause between heartbeats


async def test_the_region_given_wins() -> None:
    """A flag is stronger than the environment."""
    async with Aws(region="us-west-2") as aws:
        assert (await aws.s3()).meta.region_name == "us-west-2"


async def test_no_region_is_denied_with_a_hint(monkeypatch: pytest.MonkeyPatch) -> None:
    """One line that says what to pass, instead of botocore's traceback."""
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    async with Aws() as aws:
        with pytest.raises(Denied, match="`region`"):
            await aws.dynamodb()


async def test_an_unknown_profile_is_denied_with_a_hint(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is found out when the first client is made."""
    monkeypatch.setenv("AWS_PROFILE", "nope")
    async with Aws() as aws:
        with pytest.raises(Denied, match="nope"):
            await aws.dynamodb()


async def test_endpoints_of_botocore_are_honoured(monkeypatch: pytest.MonkeyPatch) -> None:
    """And a server that is not Amazon's is spoken to in a way such servers understand."""
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:9")
    async with Aws() as aws:
        s3: Any = await aws.s3()

        assert s3.meta.endpoint_url == "http://127.0.0.1:9"
        assert s3.meta.config.request_checksum_calculation == "when_required"
        assert s3.meta.config.s3 == {"addressing_style": "path"}


async def test_amazons_own_endpoint_is_left_as_it_is() -> None:
    """Checksums are on where the service is known to know them."""
    async with Aws() as aws:
        s3: Any = await aws.s3()

        assert s3.meta.config.request_checksum_calculation == "when_supported"


@pytest.mark.parametrize(
    ("environ", "config"),
    [
        ({"AWS_ENDPOINT_URL_DYNAMODB": "http://127.0.0.1:9"}, ""),
        ({"AWS_ENDPOINT_URL_S3": "https://bucket.vpce-1a2b.s3.eu-west-1.vpce.amazonaws.com"}, ""),
        ({"AWS_ENDPOINT_URL": "http://127.0.0.1:9", "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "true"}, ""),
        ({}, "services = mine\n[services mine]\ndynamodb =\n    endpoint_url = http://127.0.0.1:9\n"),
    ],
    ids=["DynamoDB alone", "a VPC endpoint", "ignored", "DynamoDB alone, in the profile"],
)
async def test_only_an_endpoint_of_s3_elsewhere_changes_how_s3_is_spoken_to(
    environ: dict[str, str], config: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """What is configured for other services, or leads to Amazon's own S3, leaves checksums and addresses alone."""
    (tmp_path / "config").write_text(f"[default]\n{config}")
    for name, value in (environ | {"AWS_CONFIG_FILE": str(tmp_path / "config")}).items():
        monkeypatch.setenv(name, value)
    async with Aws() as aws:
        s3: Any = await aws.s3()

        assert s3.meta.config.request_checksum_calculation == "when_supported"
        assert s3.meta.config.s3 is None


async def test_a_services_section_of_the_profile_counts(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """It is one of the places where botocore looks for an endpoint of S3."""
    config = tmp_path / "config"
    config.write_text("[default]\nservices = mine\n[services mine]\ns3 =\n    endpoint_url = http://minio:9000\n")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(config))
    async with Aws() as aws:
        s3: Any = await aws.s3()

        assert s3.meta.endpoint_url == "http://minio:9000"
        assert s3.meta.config.s3 == {"addressing_style": "path"}


@pytest.mark.parametrize(("chosen", "attempts"), [("", 3), ("5", 5)])
async def test_credentials_of_the_instance_are_asked_for_three_times(
    chosen: str, attempts: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The metadata service is throttled where many processes start; botocore asks once, unless told otherwise."""
    asked: list[str] = []

    async def refuse(request: web.BaseRequest) -> web.Response:
        asked.append(request.path)
        return web.Response(status=503)

    runner = web.ServerRunner(web.Server(refuse))
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_EC2_METADATA_DISABLED"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", site.name)
    if chosen:
        monkeypatch.setenv("AWS_METADATA_SERVICE_NUM_ATTEMPTS", chosen)
    try:
        async with Aws() as aws:
            with pytest.raises(Denied), translated("table 't'"):
                await (await aws.dynamodb()).get_item(TableName="t", Key={"itemID": {"S": "a"}})
    finally:
        await runner.cleanup()

    assert max(Counter(asked).values()) == attempts


async def test_what_the_user_chose_for_another_server_holds(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A profile that names an endpoint and a way to address it is taken at its word."""
    config = tmp_path / "config"
    config.write_text("[default]\nendpoint_url = http://minio.example:9000\ns3 =\n    addressing_style = virtual\n")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(config))
    monkeypatch.setenv("AWS_REQUEST_CHECKSUM_CALCULATION", "when_supported")
    async with Aws() as aws:
        s3: Any = await aws.s3()

        assert s3.meta.endpoint_url == "http://minio.example:9000"
        assert s3.meta.config.s3 == {"addressing_style": "virtual"}
        assert s3.meta.config.request_checksum_calculation == "when_supported"
        assert s3.meta.config.response_checksum_validation == "when_required"


def test_importing_the_session_imports_no_aiobotocore() -> None:
    """It takes a while, and most commands need none of it."""
    check = "import sys, pyanamo_async.aws.session; sys.exit(bool({'aioboto3', 'aiobotocore'} & sys.modules.keys()))"

    assert subprocess.run([sys.executable, "-c", check], check=False).returncode == 0

"""One session, and clients that are made once and as the user configured them."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

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

"""What clients take from disk with less is what botocore would have taken."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from aiobotocore.httpsession import AIOHTTPSession
from botocore.exceptions import UnknownServiceError
from botocore.loaders import Loader

from pyanamo_async.aws.session import Aws
from pyanamo_async.aws.thrift import Connections, Models


@pytest.mark.parametrize("service", ["dynamodb", "s3", "logs", "sts", "sso", "sso-oidc"])
def test_models_are_those_of_botocore(service: str) -> None:
    """Ours, and those that credentials may need."""
    for kind in ("service-2", "endpoint-rule-set-1"):
        assert Loader().load_service_model(service, kind) == Models(None).load_service_model(service, kind)


def test_a_service_without_a_model_is_unknown() -> None:
    """As botocore says it."""
    with pytest.raises(UnknownServiceError):
        Models(None).load_service_model("nope", "service-2")


def test_models_of_ones_own_come_first(tmp_path: Path) -> None:
    """AWS_DATA_PATH means what it means to botocore."""
    folder = tmp_path / "b" / "ours" / "2026-01-01"
    folder.mkdir(parents=True)
    (folder / "service-2.json").write_text('{"metadata": {}}')
    paths = os.pathsep.join([str(tmp_path / "a"), str(tmp_path / "b")])

    assert Models(paths).load_service_model("ours", "service-2") == {"metadata": {}}


async def test_clients_trust_whom_botocore_trusts_and_read_it_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same certificates, checked as strictly, in one place for all clients."""
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    for name in ("AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)
    async with Aws() as aws:
        usual: Any = await aws.dynamodb()
        urgent: Any = await aws.urgent()
        ours = [each._endpoint.http_session._create_connector(None) for each in (usual, urgent)]
        plain: Any = AIOHTTPSession()
        theirs = plain._create_connector(None)

        assert ours[0]._ssl is ours[1]._ssl
        assert ours[0]._ssl.get_ca_certs() == theirs._ssl.get_ca_certs()
        assert (ours[0]._ssl.verify_mode, ours[0]._ssl.check_hostname, ours[0]._ssl.options) == (
            theirs._ssl.verify_mode,
            theirs._ssl.check_hostname,
            theirs._ssl.options,
        )
        assert ours[0].limit == usual.meta.config.max_pool_connections
        assert ours[0]._keepalive_timeout == theirs._keepalive_timeout


async def test_certificates_of_ones_own_hold(tmp_path: Path) -> None:
    """AWS_CA_BUNDLE names a file, which is trusted instead; one that is missing is told as ever."""
    none: Any = Connections(verify=str(tmp_path / "none.pem"))

    with pytest.raises(FileNotFoundError):
        none._create_connector(None)


async def test_nobody_is_trusted_more_when_nobody_is_checked() -> None:
    """Who switches verification off gets connections of its own."""
    unchecked: Any = Connections(verify=False)

    assert unchecked._create_connector(None)._ssl is False

"""How our clients send requests: what is retried, what is not followed, and what a reply becomes."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from pyanamo_async.aws.errors import translated
from pyanamo_async.aws.http_session import HttpSession
from pyanamo_async.aws.session import Aws
from pyanamo_async.errors import Unavailable
from tests.aws.wire import CUT, Answer, answering

KEY = {"itemID": {"S": "ü\0"}}
FINE = Answer(content={"Item": {"itemID": {"S": "a"}, "Log": {"M": {"Seconds": {"N": "1.5"}}}}})
THROTTLED = Answer(400, {"__type": "com.amazonaws.dynamodb.v20120810#ThrottlingException", "message": "slow down"})
UNMET = Answer(
    400,
    {
        "__type": "com.amazonaws.dynamodb.v20120810#ConditionalCheckFailedException",
        "message": "The conditional request failed",
        "Item": {"itemID": {"S": "a"}, "Log": {"M": {"Seconds": {"N": "1.5"}}}},
    },
)


@pytest.fixture(autouse=True)
def _account(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("ACCESS_KEY_ID", "SECRET_ACCESS_KEY", "SESSION_TOKEN"):
        monkeypatch.setenv(f"AWS_{name}", "test")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")


async def _no_pause(_: float) -> None:
    return None


@pytest.fixture
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Retries without botocore's pause."""
    monkeypatch.setattr("aiobotocore.endpoint.asyncio.sleep", _no_pause)


@pytest.mark.usefixtures("_at_once")
@pytest.mark.parametrize(
    "troubles",
    [
        [],
        [THROTTLED],
        [Answer(500)],
        [Answer(503), Answer(CUT)],
        [Answer(content=FINE.content, checksum="17")],
    ],
)
async def test_a_request_that_was_repeated_is_known_as_repeated(
    troubles: list[Answer], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Throttles, server errors, cut connections and spoilt replies are repeated; idempotent writes need to know."""
    async with answering(*troubles, FINE) as (address, requests), Aws() as aws:
        monkeypatch.setenv("AWS_ENDPOINT_URL_DYNAMODB", address)
        reply = await (await aws.dynamodb()).get_item(TableName="t", Key=KEY)

    assert reply["Item"] == {"itemID": {"S": "a"}, "Log": {"M": {"Seconds": {"N": "1.5"}}}}
    assert reply["ResponseMetadata"]["RetryAttempts"] == len(troubles)
    assert len(requests) == len(troubles) + 1


@pytest.mark.usefixtures("_at_once")
async def test_a_refused_write_brings_the_row_as_it_stands(monkeypatch: pytest.MonkeyPatch) -> None:
    """And that it was sent twice, so that the refusal may be its own doing."""
    async with answering(Answer(CUT), UNMET) as (address, _), Aws() as aws:
        monkeypatch.setenv("AWS_ENDPOINT_URL_DYNAMODB", address)
        with pytest.raises(ClientError) as refused:
            await (await aws.dynamodb()).update_item(TableName="t", Key=KEY)

    response: Any = refused.value.response
    assert response["Error"]["Code"] == "ConditionalCheckFailedException"
    assert response["Item"] == {"itemID": {"S": "a"}, "Log": {"M": {"Seconds": {"N": "1.5"}}}}
    assert response["ResponseMetadata"]["RetryAttempts"] == 1


@pytest.mark.usefixtures("_at_once")
@pytest.mark.parametrize("status", [301, 302, 307, 308])
@pytest.mark.parametrize("service", ["dynamodb", "s3"])
async def test_a_redirect_is_not_followed(service: str, status: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """The session token is for the endpoint that was asked, and for no other."""
    async with answering(FINE, FINE) as (elsewhere, strangers):
        redirect = Answer(status, b"", headers=(f"Location: {elsewhere}/",))
        async with answering(redirect) as (address, requests), Aws() as aws:
            monkeypatch.setenv(f"AWS_ENDPOINT_URL_{service.upper()}", address)
            client: Any = await (aws.dynamodb() if service == "dynamodb" else aws.s3())
            call = (
                client.get_item(TableName="t", Key=KEY)
                if service == "dynamodb"
                else client.put_object(Bucket="b", Key="k", Body=b"x")
            )
            with pytest.raises(Unavailable), translated("it"):
                await call

    assert requests[0].headers["x-amz-security-token"] == "test"
    assert strangers == []


@pytest.mark.usefixtures("_at_once")
async def test_a_file_is_sent_again_from_its_beginning(monkeypatch: pytest.MonkeyPatch) -> None:
    """A part of an upload outlives the sending that failed."""
    body = io.BytesIO(b"output")
    async with answering(Answer(503, b""), Answer(content=b"")) as (address, requests), Aws() as aws:
        monkeypatch.setenv("AWS_ENDPOINT_URL_S3", address)
        await (await aws.s3()).put_object(Bucket="b", Key="k", Body=body)

    assert [request.body for request in requests] == [b"output"] * 2
    assert not body.closed


async def test_proxies_of_the_environment_are_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the user and password of their address."""
    async with answering(FINE) as (address, requests), Aws() as aws:
        monkeypatch.setenv("AWS_ENDPOINT_URL_DYNAMODB", "http://dynamodb.invalid")
        monkeypatch.setenv("HTTP_PROXY", address.replace("//", "//me:secret@"))
        await (await aws.dynamodb()).get_item(TableName="t", Key=KEY)

    assert requests[0].line.startswith("POST http://dynamodb.invalid/")
    assert requests[0].headers["proxy-authorization"].startswith("Basic ")


def test_a_missing_certificate_bundle_is_named_when_the_client_is_made(tmp_path: Path) -> None:
    """AWS_CA_BUNDLE is trusted instead of botocore's certificates, not beside them."""
    with pytest.raises(FileNotFoundError):
        HttpSession(
            timeout=(1, 1),
            verify=str(tmp_path / "none.pem"),
            proxies=None,
            client_cert=None,
            max_pool_connections=1,
            connector_args={},
        )

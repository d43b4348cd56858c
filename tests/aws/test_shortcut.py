"""What goes the short way is what botocore would have sent, and comes back as botocore would have given it."""

from __future__ import annotations

import re
from types import SimpleNamespace
from typing import Any

import pytest
from aiobotocore.endpoint import AioEndpoint
from botocore.exceptions import BotoCoreError, ClientError

from pyanamo_async.aws.session import Aws
from pyanamo_async.aws.shortcut import OPERATIONS, shorten
from tests.aws.wire import GONE, Request, Told, answering

KEY = {"itemID": {"S": "ü\0"}}
ARGUMENTS: dict[str, dict[str, Any]] = {
    "batch_execute_statement": {"Statements": [{"Statement": 'SELECT * FROM "t"'}]},
    "batch_get_item": {"RequestItems": {"t": {"Keys": [KEY]}}},
    "delete_item": {"TableName": "t", "Key": KEY},
    "get_item": {"TableName": "t", "Key": KEY},
    "put_item": {"TableName": "t", "Item": KEY},
    "query": {"TableName": "t"},
    "update_item": {"TableName": "t", "Key": KEY},
}
THROTTLED = Told(400, {"__type": "com.amazonaws.dynamodb.v20120810#ThrottlingException", "message": "slow down"})
UNMET = Told(
    400,
    {
        "__type": "com.amazonaws.dynamodb.v20120810#ConditionalCheckFailedException",
        "message": "The conditional request failed",
        "Item": {"itemID": {"S": "a"}, "Log": {"M": {"Seconds": {"N": "1.5"}}}},
    },
)
FINE = Told(said={"Item": {"itemID": {"S": "a"}}})
OFTEN = 3  # as often as it is sent


@pytest.fixture(autouse=True)
def _account(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("ACCESS_KEY_ID", "SECRET_ACCESS_KEY", "SESSION_TOKEN"):
        monkeypatch.setenv(f"AWS_{name}", "test")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")


async def said_both_ways(
    monkeypatch: pytest.MonkeyPatch, *answers: Told, operation: str = "get_item", path: str = ""
) -> tuple[list[Any], list[list[Request]]]:
    """Call once the short way and once botocore's; tell what came of it, and what was sent."""
    came: list[Any] = []
    sent: list[list[Request]] = []
    for is_short in (True, False):
        async with answering(*answers) as (address, requests), Aws() as aws:
            monkeypatch.setenv("AWS_ENDPOINT_URL_DYNAMODB", address + path)
            client: Any = await aws.dynamodb()
            assert "_make_api_call" in vars(client)
            if not is_short:
                del client._make_api_call
            came.append(await _came_of(client, operation))
            sent.append(requests)
    return came, sent


async def _came_of(client: Any, operation: str) -> Any:  # noqa: ANN401 # a client made at run time
    try:
        answer = await getattr(client, operation)(**ARGUMENTS[operation])
    except ClientError as exc:
        return type(exc).__name__, str(exc), _told(exc.response)
    except BotoCoreError as exc:
        return type(exc).__name__, re.sub(r":\d+", "", str(exc))
    return _told(answer)


def _told(answer: Any) -> Any:  # noqa: ANN401 # as botocore has it
    meta = answer["ResponseMetadata"]
    return answer | {"ResponseMetadata": meta | {"HTTPHeaders": dict(meta["HTTPHeaders"])}}


def _comparable(request: Request) -> dict[str, str]:
    """Leave out of the headers what is new each time."""
    own = {"x-amz-date": r"\d{8}T\d{6}Z", "amz-sdk-invocation-id": r"[0-9a-f-]{36}", "host": r"127\.0\.0\.1:\d+"}
    for name, pattern in own.items():
        assert re.fullmatch(pattern, request.headers[name])
    scope = re.sub(r"Signature=[0-9a-f]{64}|/\d{8}/", "", request.headers["authorization"])
    return {name: value for name, value in request.headers.items() if name not in own} | {"authorization": scope}


@pytest.mark.parametrize("operation", ARGUMENTS)
async def test_requests_are_those_of_botocore(operation: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every header, by every operation that goes the short way, with a session's token; and the body."""
    (ours, theirs), ([our], [their]) = await said_both_ways(monkeypatch, FINE, operation=operation)

    assert ours == theirs
    assert (our.line, _comparable(our), our.body) == (their.line, _comparable(their), their.body)
    assert our.headers["x-amz-target"].rpartition(".")[2] in OPERATIONS
    assert len(ARGUMENTS) == len(OPERATIONS)


@pytest.mark.parametrize(
    ("answers", "sendings"),
    [
        ([UNMET], 1),
        ([THROTTLED, FINE], 2),
        ([THROTTLED] * OFTEN, OFTEN),
        ([Told(500), FINE], 2),
        ([Told(503), Told(GONE), FINE], 3),
        ([Told(GONE)] * OFTEN, OFTEN),
        ([Told(said=FINE.said, spoilt=True), FINE], 2),
        ([Told(400, {"__type": "ValidationException", "Message": "no"})], 1),
    ],
)
async def test_trouble_is_what_botocore_makes_of_it(
    answers: list[Told], sendings: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It judges what is sent again, and how often; errors have its names and words, and the item that stood there."""
    monkeypatch.setattr(AioEndpoint, "_needs_retry", _at_once())
    (ours, theirs), sent = await said_both_ways(monkeypatch, *answers)

    assert ours == theirs
    assert [len(requests) for requests in sent] == [sendings, sendings]
    for requests in sent:
        counted = [request.headers["amz-sdk-request"].split("; ") for request in requests]
        assert [f"attempt={number}" in each for number, each in enumerate(counted, 1)] == [True] * sendings
        assert len({request.headers["amz-sdk-invocation-id"] for request in requests}) == 1


async def test_nobody_there_is_what_botocore_makes_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """A refused connection has its error."""
    monkeypatch.setattr(AioEndpoint, "_needs_retry", _at_once())
    came: list[Any] = []
    monkeypatch.setenv("AWS_ENDPOINT_URL_DYNAMODB", "http://127.0.0.1:9")
    for is_short in (True, False):
        async with Aws() as aws:
            client: Any = await aws.dynamodb()
            if not is_short:
                del client._make_api_call
            came.append(await _came_of(client, "get_item"))

    assert came[0] == came[1]
    assert came[0][0] == "EndpointConnectionError"


@pytest.mark.parametrize(("path", "proxy"), [("/dynamo", ""), ("", "http://127.0.0.1:9")])
async def test_what_is_unusual_goes_its_usual_way(path: str, proxy: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """An endpoint with a path, or one that is reached by a proxy."""
    if proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy)
    monkeypatch.setenv("AWS_ENDPOINT_URL_DYNAMODB", f"http://127.0.0.1:9{path}")
    async with Aws() as aws:
        client: Any = await aws.dynamodb()
        shortcut = client._make_api_call.__self__

        assert await shortcut._way("GetItem", ARGUMENTS["get_item"]) is None


@pytest.mark.parametrize("code", ["InvalidSignatureException", "com.amazon.coral#IncompleteSignatureException"])
async def test_a_signature_that_is_not_taken_is_left_to_botocore(
    code: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The request is sent again its way, and so are all that follow; when that is no better, its error is told."""
    refused = Told(400, {"__type": code, "message": "The request signature does not match"})
    async with answering(refused, FINE, FINE, refused) as (address, seen), Aws() as aws:
        monkeypatch.setenv("AWS_ENDPOINT_URL_DYNAMODB", address)
        client: Any = await aws.dynamodb()
        theirs = client._make_api_call.__self__._theirs
        counted: list[str] = []

        async def counting(operation: str, arguments: Any) -> Any:  # noqa: ANN401 # botocore's
            counted.append(operation)
            return await theirs(operation, arguments)

        client._make_api_call.__self__._theirs = counting
        outcomes = [await _came_of(client, "get_item") for _ in range(3)]

    assert [type(outcome) for outcome in outcomes] == [dict, dict, tuple]
    assert outcomes[2][0] == "ClientError"
    assert counted == ["GetItem"] * 3
    assert len(seen) == 4
    assert ["a signature was not taken" in each.getMessage() for each in caplog.records] == [True]
    assert len({request.body for request in seen}) == 1


async def test_managing_a_table_goes_its_usual_way(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only operations on items are simple enough."""
    async with answering(Told(said={"TableNames": ["t"]})) as (address, _), Aws() as aws:
        monkeypatch.setenv("AWS_ENDPOINT_URL_DYNAMODB", address)
        assert (await (await aws.dynamodb()).list_tables())["TableNames"] == ["t"]


def test_another_botocore_is_left_alone() -> None:
    """Where a private place is not there, nothing is changed."""
    stranger = SimpleNamespace(_make_api_call=len)
    shorten(stranger)

    assert stranger._make_api_call is len


def _at_once() -> Any:  # noqa: ANN401 # a method of botocore's
    """Judge as botocore does, without its pause."""
    theirs: Any = AioEndpoint
    needs_retry = theirs._needs_retry

    async def judged(*args: Any, **kwargs: Any) -> bool:  # noqa: ANN401 # botocore's
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("aiobotocore.endpoint.asyncio.sleep", _no_pause)
            verdict: bool = await needs_retry(*args, **kwargs)
        return verdict

    return judged


async def _no_pause(_: float) -> None:
    return None

"""Replies that are damaged, or not the service's: they are asked for again, and then the service is unavailable."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from dataclasses import replace
from itertools import product
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pyanamo_async.aws.errors import translated
from pyanamo_async.aws.session import USUAL, Aws
from pyanamo_async.errors import PyanamoError, Unavailable
from tests.aws.wire import CUT, Answer, answering

KEY = {"itemID": {"S": "a"}}
ITEM = {"Item": {"itemID": {"S": "a"}}}
FINE = Answer(content=ITEM)
PORTAL = b"\n<!DOCTYPE html><html><body>welcome to our network</body></html>"
JUNK = {
    "a changed first byte": Answer(content=b"#" + json.dumps(ITEM).encode()[1:], checked=json.dumps(ITEM).encode()),
    "a web page": Answer(content=PORTAL, type="text/html", checksum=None),
    "a web page of a proxy that refuses": Answer(403, PORTAL, type="text/html", checksum=None),
    "a web page in the place of what is not there": Answer(404, PORTAL, type="text/html", checksum=None),
    "JSON of something else": Answer(content={"message": "hello"}, type="application/json", checksum=None),
    "nothing at all": Answer(content=b"", checksum=None),
    "a list": Answer(content=b"[1, 2]", checksum=None),
    "half a reply": Answer(content=b'{"Item": {"itemID"', checksum=None),
    "a checksum that is no number": Answer(content=ITEM, checksum="x\xff"),
    "a wrong checksum": Answer(content=ITEM, checksum="17"),
}
CALLS: dict[str, Callable[[Any], Awaitable[Any]]] = {
    "get_item": lambda client: client.get_item(TableName="t", Key=KEY),
    "query": lambda client: client.query(TableName="t"),
    "update_item": lambda client: client.update_item(TableName="t", Key=KEY),
    "batch_get_item": lambda client: client.batch_get_item(RequestItems={"t": {"Keys": [KEY]}}),
    "batch_execute_statement": lambda client: client.batch_execute_statement(Statements=[{"Statement": "x"}]),
    "describe_table": lambda client: client.describe_table(TableName="t"),
}
S3_CALLS: dict[str, Callable[[Any], Awaitable[Any]]] = {
    "put_object": lambda client: client.put_object(Bucket="b", Key="k", Body=b"x"),
    "create_multipart_upload": lambda client: client.create_multipart_upload(Bucket="b", Key="k"),
    "list_multipart_uploads": lambda client: client.list_multipart_uploads(Bucket="b"),
    "head_object": lambda client: client.head_object(Bucket="b", Key="k"),
}
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
ROWS = ("Item", "Items", "Count", "ScannedCount", "Responses", "UnprocessedKeys", "Attributes", "Table")
MEMBERS = st.sampled_from(
    (*ROWS, "Error", "ConsumedCapacity", "LastEvaluatedKey", "ResponseMetadata", "__type", "message")
)
REPLIES = JSON | st.dictionaries(MEMBERS, JSON | st.fixed_dictionaries({"t": JSON}) | st.lists(JSON), max_size=4)


async def _no_pause(_: float) -> None:
    return None


@pytest.fixture(autouse=True)
def _account_and_no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("ACCESS_KEY_ID", "SECRET_ACCESS_KEY"):
        monkeypatch.setenv(f"AWS_{name}", "test")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    monkeypatch.setattr("aiobotocore.endpoint.asyncio.sleep", _no_pause)


@pytest.mark.parametrize("junk", JUNK)
async def test_a_damaged_or_foreign_reply_is_asked_for_again(junk: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """As botocore asks again after a cut connection, and known as a repetition."""
    async with answering(JUNK[junk], FINE) as (address, requests), Aws() as aws:
        monkeypatch.setenv("AWS_ENDPOINT_URL_DYNAMODB", address)
        reply = await (await aws.dynamodb()).get_item(TableName="t", Key=KEY)

    assert (reply["Item"], reply["ResponseMetadata"]["RetryAttempts"]) == (ITEM["Item"], 1)
    assert len(requests) == 2


@pytest.mark.parametrize("junk", JUNK)
async def test_a_reply_that_stays_damaged_or_foreign_is_unavailable(junk: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is never believed, and never the end of a worker."""
    async with answering(*[JUNK[junk]] * 3 * len(CALLS)) as (address, requests), Aws() as aws:
        monkeypatch.setenv("AWS_ENDPOINT_URL_DYNAMODB", address)
        client = await aws.dynamodb()
        for call in CALLS.values():
            with pytest.raises(Unavailable), translated("table 't'"):
                await call(client)

    assert len(requests) == 3 * len(CALLS)


@pytest.mark.parametrize(
    ("call", "status"),
    [*product([call for call in S3_CALLS if call != "head_object"], [200, 302, 403]), ("head_object", 302)],
)
async def test_a_web_page_is_no_reply_of_a_bucket(call: str, status: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Output is not taken for stored because somebody answered with 200."""
    content = b"" if call == "head_object" else PORTAL
    junk = Answer(status, content, type="text/html", checksum=None, headers=("Location: http://login.invalid/",))
    async with answering(*[junk] * 3) as (address, _), Aws() as aws:
        monkeypatch.setenv("AWS_ENDPOINT_URL_S3", address)
        client = await aws.s3()
        with pytest.raises(Unavailable), translated("bucket 'b'"):
            await S3_CALLS[call](client)


async def test_a_reply_that_never_ends_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether it is larger than any of the service's, or comes in drops."""
    monkeypatch.setattr("pyanamo_async.aws.http_session.LARGEST_REPLY_BYTES", 1000)
    monkeypatch.setattr("pyanamo_async.aws.http_session.READ_TIMEOUTS", 0)
    monkeypatch.setattr("pyanamo_async.aws.session.USUAL", replace(USUAL, connect_timeout_s=1))
    giant = Answer(content={"Item": {"itemID": {"S": "a" * 2000}}})
    dripping = Answer(content=ITEM, drop_s=0.2)
    for junk in (giant, dripping):
        async with answering(junk, Answer(CUT), Answer(CUT)) as (address, _), Aws() as aws:
            monkeypatch.setenv("AWS_ENDPOINT_URL_DYNAMODB", address)
            client = await aws.dynamodb()
            with pytest.raises(Unavailable), translated("table 't'"):
                await client.get_item(TableName="t", Key=KEY)


async def test_any_reply_is_a_reply_or_an_error_of_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever JSON comes, with whatever status, with a checksum that is right."""
    answers: list[Answer] = []
    async with answering(left=answers) as (address, _), Aws() as aws:
        monkeypatch.setenv("AWS_ENDPOINT_URL_DYNAMODB", address)
        client = await aws.dynamodb()

        async def ask(call: str) -> None:
            try:
                with translated("table 't'"):
                    reply = await CALLS[call](client)
            except PyanamoError:
                return
            assert isinstance(reply, dict)
            assert reply["ResponseMetadata"]["RetryAttempts"] >= 0

        for answer, call in _examples():
            answers[:] = [answer] * 3
            await ask(call)


def _examples() -> list[tuple[Answer, str]]:
    """Draw replies outside of the loop, which hypothesis knows nothing of."""
    drawn: list[tuple[Answer, str]] = []

    @settings(max_examples=300, database=None)
    @given(REPLIES, st.sampled_from([200, 200, 200, 301, 400, 403, 500]), st.sampled_from(sorted(CALLS)))
    def draw(reply: Any, status: int, call: str) -> None:  # noqa: ANN401 - any JSON
        drawn.append((Answer(status, json.dumps(reply).encode()), call))

    draw()
    return drawn

"""Our signatures are those of botocore."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from botocore import auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import ReadOnlyCredentials

from pyanamo_async.aws.signing import signed

AT = datetime(2026, 11, 23, 23, 59, 59, tzinfo=UTC)


@pytest.mark.parametrize("token", [None, "a/token+=="])
@pytest.mark.parametrize(
    "url",
    ["http://127.0.0.1:8000/", "https://dynamodb.eu-west-1.amazonaws.com/", "https://host:443/", "http://[::1]:8000/"],
)
@pytest.mark.parametrize("body", [b"{}", '{"Item": "ü\\u0000"}'.encode()])
def test_requests_are_signed_as_botocore_signs_them(
    url: str, token: str | None, body: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With and without a session's token, and whatever stands in a header."""
    headers = {
        "X-Amz-Target": "DynamoDB_20120810.PutItem",
        "User-Agent": "us",
        "X-Odd": " a   b ",
        "X-Amzn-Trace-Id": "1",
    }
    credentials = ReadOnlyCredentials("key", "secret", token)
    monkeypatch.setattr(auth, "get_current_datetime", lambda: AT.replace(tzinfo=None))
    theirs = AWSRequest("POST", url, headers=headers, data=body)
    auth.SigV4Auth(credentials, "dynamodb", "eu-west-1").add_auth(theirs)

    scope = auth._host_from_url(url), "eu-west-1", "dynamodb"  # type: ignore[attr-defined] # it is private
    assert signed(headers, body, scope=scope, credentials=credentials, at=AT) == dict(theirs.headers.items())


def test_the_key_of_a_day_is_not_that_of_the_next() -> None:
    """Nor is one's key another's, whatever is remembered of them."""
    scope = "host", "eu-west-1", "dynamodb"
    credentials = [ReadOnlyCredentials("key", secret, None) for secret in ("a", "b", "a")]
    days = [AT, AT, AT.replace(day=24)]
    signatures = {
        signed({}, b"", scope=scope, credentials=each, at=at)["Authorization"].rpartition("=")[2]
        for each, at in zip(credentials, days, strict=True)
    }

    assert len(signatures) == 3

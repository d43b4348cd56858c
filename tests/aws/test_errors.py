"""What AWS and the network say, in our words."""

from __future__ import annotations

from typing import Any

import aiohttp
import pytest
from botocore import exceptions as boto
from botocore.exceptions import ClientError
from botocore.parsers import ResponseParserError

from pyanamo_async.aws.errors import refusal, translate, translated
from pyanamo_async.errors import (
    BucketMissing,
    Denied,
    OutputError,
    OutputMissing,
    PyanamoError,
    RowTooLarge,
    SchemaMismatch,
    StoreError,
    TableMissing,
    Unavailable,
)

TABLE = "table 'reads'"


def said(code: str, message: str = "because", *, status: int = 400, headers: dict[str, str] | None = None) -> Any:  # noqa: ANN401 # stubs want a TypedDict
    """An answer of AWS that is a refusal."""
    response: Any = {
        "Error": {"Code": code, "Message": message},
        "ResponseMetadata": {"HTTPStatusCode": status, "HTTPHeaders": headers or {}},
    }
    return ClientError(response, "UpdateItem")


@pytest.mark.parametrize(
    "exc",
    [
        said("ProvisionedThroughputExceededException"),
        said("ThrottlingException"),
        said("RequestLimitExceeded"),
        said("SlowDown", status=503),
        said("TooManyRequestsException"),
        said("InternalServerError", status=500),
        said("Unheard", status=502),
        said("", "", status=503),
        said("ExpiredTokenException"),
        said("RequestTimeout"),
        boto.EndpointConnectionError(endpoint_url="http://x"),
        boto.ReadTimeoutError(endpoint_url="http://x"),
        boto.ConnectTimeoutError(endpoint_url="http://x"),
        boto.ConnectionClosedError(endpoint_url="http://x"),
        boto.CredentialRetrievalError(provider="iam-role", error_msg="timed out"),
        said("ReplicatedWriteConflictException"),
        ResponseParserError("<html>"),
        aiohttp.ServerDisconnectedError(),
        aiohttp.ClientPayloadError("cut off"),
        ConnectionResetError(),
        TimeoutError(),
    ],
    ids=repr,
)
def test_what_may_succeed_later_is_unavailable(exc: Exception) -> None:
    """Throttling, servers in trouble, networks in trouble, and credentials that somebody renews."""
    ours = translate(exc, TABLE)

    assert isinstance(ours, Unavailable)
    assert TABLE in str(ours)


@pytest.mark.parametrize(
    "exc",
    [
        said("AccessDeniedException", "User: arn is not authorized to perform: dynamodb:UpdateItem"),
        said("UnrecognizedClientException"),
        said("InvalidSignatureException"),
        said("403", status=403),
        boto.NoCredentialsError(),
        boto.NoRegionError(),
        boto.PartialCredentialsError(provider="env", cred_var="AWS_SECRET_ACCESS_KEY"),
        boto.ProfileNotFound(profile="nope"),
        boto.UnauthorizedSSOTokenError(),
        boto.SSOTokenLoadError(error_msg="expired"),
    ],
    ids=repr,
)
def test_what_we_are_not_let_into_is_denied_with_a_hint(exc: Exception) -> None:
    """No retry heals it; a person is told of what, and what to do."""
    ours = translate(exc, TABLE)

    assert isinstance(ours, Denied)
    assert TABLE in ours.what
    assert ours.hint


@pytest.mark.parametrize(
    "exc",
    [
        said("RequestTimeTooSkewed", "The difference between the request time and the current time is too large."),
        said("RequestExpired", "Request has expired: the clock"),
        said("InvalidSignatureException", "Signature expired: 20261126T1 is now earlier than 20261126T2"),
        said("InvalidSignatureException", "Signature not yet current: 20261126T2 is still later than 20261126T1"),
    ],
    ids=repr,
)
def test_a_fault_of_the_clock_has_a_hint_about_it(exc: Exception) -> None:
    """It passes when the clock is set, and no other credentials would help."""
    ours = translate(exc, TABLE)

    assert isinstance(ours, Unavailable)
    assert "clock" in ours.hint


def test_who_used_aws_login_is_told_how_its_session_is_handed_on() -> None:
    """The SDK that this program uses cannot read such a session."""
    assert "aws configure export-credentials" in translate(boto.NoCredentialsError(), TABLE).hint


@pytest.mark.parametrize(("header", "seconds"), [("86400000", 60), ("²", None), ("soon", None), ("", None)])
def test_a_wish_that_is_no_credible_number_is_not_kept(header: str, seconds: int | None) -> None:
    """Nobody keeps a worker asleep for years."""
    ours = translate(said("SlowDown", status=503, headers={"retry-after": header}), TABLE)

    assert isinstance(ours, Unavailable)
    assert ours.retry_after_s == seconds


def test_a_denial_names_the_action() -> None:
    """Whoever writes the policy needs it."""
    assert "UpdateItem on table 'reads'" in translate(said("AccessDeniedException"), TABLE).what


@pytest.mark.parametrize(
    ("exc", "kind"),
    [
        (said("ResourceNotFoundException"), TableMissing),
        (said("NoSuchBucket", status=404), BucketMissing),
        (said("NoSuchKey", status=404), OutputMissing),
        (said("ValidationException", "The table does not have the specified index: QueueIndex"), SchemaMismatch),
        (said("ValidationException", "The provided key element does not match the schema"), SchemaMismatch),
        (said("ValidationException", "Item size has exceeded the maximum allowed size"), RowTooLarge),
        (said("ValidationException", "anything else"), StoreError),
        (boto.ParamValidationError(report="wrong"), StoreError),
    ],
    ids=repr,
)
def test_what_is_missing_or_wrong_has_its_own_name(exc: Exception, kind: type[PyanamoError]) -> None:
    """Neither waiting nor other credentials would help."""
    assert type(translate(exc, TABLE)) is kind


def test_a_throttled_resource_is_named() -> None:
    """An index throttles its table: the message that says which one is kept."""
    message = (
        "Throughput exceeds the current throughput limit; arn:aws:dynamodb:eu-west-1:1:table/reads/index/QueueIndex"
    )

    assert "index/QueueIndex" in translate(said("ThrottlingException", message), TABLE).what


@pytest.mark.parametrize(
    ("exc", "throttled"),
    [(said("ThrottlingException"), True), (said("InternalServerError", status=500), False), (OSError("reset"), False)],
    ids=repr,
)
def test_a_refusal_is_told_from_no_answer(exc: Exception, throttled: bool) -> None:
    """Who is throttled knows that nothing was done; who hears nothing has to find out."""
    ours = translate(exc, TABLE)

    assert isinstance(ours, Unavailable)
    assert ours.throttled is throttled


def test_the_services_own_wish_is_kept() -> None:
    """Seconds to wait, where the service says how many."""
    ours = translate(said("SlowDown", status=503, headers={"retry-after": "7"}), TABLE)

    assert isinstance(ours, Unavailable)
    assert ours.retry_after_s == 7


def test_a_statement_of_a_batch_speaks_the_same_codes() -> None:
    """Codes of statements lack the `Exception` at their end."""
    assert isinstance(refusal("ProvisionedThroughputExceeded", "", TABLE), Unavailable)
    assert isinstance(refusal("ThrottlingError", "", TABLE), Unavailable)
    assert isinstance(refusal("AccessDenied", "", TABLE), Denied)
    assert isinstance(refusal("ResourceNotFound", "", TABLE), TableMissing)


def test_our_own_errors_pass_as_they_are() -> None:
    """What was said already is not said again in other words."""
    mine = TableMissing("mine")
    with pytest.raises(TableMissing) as caught, translated(TABLE):
        raise mine

    assert caught.value is mine


def test_a_mistake_of_ours_is_not_dressed_up() -> None:
    """A bug stays a bug."""
    with pytest.raises(KeyError), translated(TABLE):
        raise KeyError("bug")


def test_other_refusals_are_what_the_caller_says() -> None:
    """A bucket's are errors of output."""
    assert type(translate(said("MalformedXML"), "bucket 'b'", otherwise=OutputError)) is OutputError

"""Translate errors of AWS and the network into those of this package.

Laws:
1. If the same call may succeed later, the error is `Unavailable`, and callers retry.
2. If credentials are missing or refused, it is `Denied`, and a retry does not help.
3. If the table, bucket or object itself is missing or invalid, the error names it.

Expired credentials are `Unavailable`: roles, SSO and mounted files are renewed from outside, and a worker with hours of
work behind it retries until its lease expires. A wrong clock is `Unavailable`, too: after a machine was suspended, its
clock is wrong for a moment.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from aiohttp import ClientError as HttpError
from botocore import exceptions as boto
from botocore.parsers import ResponseParserError

from pyanamo_async.errors import (
    BucketMissing,
    ClockRefused,
    Denied,
    OutputMissing,
    PyanamoError,
    RegionMissing,
    RowTooLarge,
    SchemaMismatch,
    StoreError,
    TableMissing,
    Unavailable,
)

# Codes without the ending `Exception`, which most errors have, but no statement of a batch.
THROTTLED = {
    "BandwidthLimitExceeded",
    "LimitExceeded",
    "ProvisionedThroughputExceeded",
    "RequestLimitExceeded",
    "RequestThrottled",
    "SlowDown",
    "Throttled",
    "Throttling",
    "ThrottlingError",
    "TooManyRequests",
}
TRANSIENT = {
    "InternalError",
    "InternalFailure",
    "InternalServerError",
    "OperationAborted",
    "ReplicatedWriteConflict",
    "RequestTimeout",
    "ServiceUnavailable",
    "TransactionConflict",
}
EXPIRED = {"ExpiredToken", "TokenRefreshRequired"}
WRONG_CLOCK = {"RequestExpired", "RequestInTheFuture", "RequestTimeTooSkewed"}
WRONG_CLOCK_MESSAGES = ("Signature expired", "Signature not yet current")
REFUSED = {
    "403",
    "AccessDenied",
    "AllAccessDisabled",
    "AuthorizationHeaderMalformed",
    "IncompleteSignature",
    "InvalidAccessKeyId",
    "InvalidClientTokenId",
    "InvalidSignature",
    "MissingAuthenticationToken",
    "NotAuthorized",
    "OptInRequired",
    "SignatureDoesNotMatch",
    "UnauthorizedOperation",
    "UnrecognizedClient",
}
UNREACHABLE = (
    boto.HTTPClientError,
    boto.ConnectionError,
    boto.IncompleteReadError,
    boto.CredentialRetrievalError,
    boto.MetadataRetrievalError,
    HttpError,
    ResponseParserError,  # the page of a proxy, or an incomplete reply
    OSError,  # TimeoutError among them
)
NO_CREDENTIALS = (
    boto.NoCredentialsError,
    boto.PartialCredentialsError,
    boto.NoAuthTokenError,
    boto.TokenRetrievalError,
    boto.SSOError,
    boto.ProfileNotFound,
)
CREDENTIALS_HINT = (
    "set AWS_PROFILE, or log in (aws sso login, aws configure), or give the job a role;"
    " after `aws login`, set the variables that `aws configure export-credentials --format env` prints"
)
CLOCK_HINT = "check this machine's clock with `timedatectl status` or `chronyc tracking`, and set it by NTP"
ITEM_LIMIT_HINT = "DynamoDB stores at most 400 KB for an item: shorten its scripts, or split it into several items"
OTHER_SCHEMA_MESSAGES = (
    "does not have the specified index",
    "key element does not match the schema",
    "required keys was not given",
)
REDIRECTS = range(300, 400)
FIRST_SERVER_ERROR = 500
LONGEST_WAIT_S = 60.0  # at most, however long a pause the service asks for: the lease would expire


@contextmanager
def translated(what: str, *, otherwise: type[PyanamoError] = StoreError) -> Iterator[None]:
    """Raise errors of this package for those of AWS and the network; `what` is their subject, like `table 'reads'`.

    `otherwise` is the class of the error if no rule knows the code.
    """
    try:
        yield
    except (boto.BotoCoreError, boto.ClientError, ResponseParserError, HttpError, OSError) as exc:
        raise translate(exc, what, otherwise=otherwise) from exc


def translate(exc: Exception, what: str, *, otherwise: type[PyanamoError] = StoreError) -> PyanamoError:
    """Return the error of this package for one of AWS or the network."""
    match exc:
        case boto.ClientError():
            return _refusal(exc, what, otherwise)
        case boto.NoRegionError():
            return RegionMissing(
                f"no AWS region is known for {what}",
                hint="give `region`, or set AWS_REGION; a table in a file is sqlite:PATH",
            )
        case boto.EndpointResolutionError() | boto.InvalidRegionError():
            return Denied(f"no AWS endpoint is known for {what}: {exc}", hint="check the spelling of the region")
        case _ if isinstance(exc, NO_CREDENTIALS):
            return Denied(
                f"no usable AWS credentials for {what}: {exc}",
                hint=CREDENTIALS_HINT,
            )
        case _ if isinstance(exc, UNREACHABLE):
            return Unavailable(f"{what} does not answer: {exc or type(exc).__name__}")
    return otherwise(f"{what}: {exc}")


def refusal(
    code: str, message: str, what: str, *, action: str = "", otherwise: type[PyanamoError] = StoreError
) -> PyanamoError:
    """Return the error for a code of AWS, which may come from an exception or from a statement of a batch."""
    kind = code.removesuffix("Exception")
    if kind in THROTTLED:
        return Unavailable(f"{what} is throttled ({code}): {message}", throttled=True)
    if kind in TRANSIENT:
        return Unavailable(f"{what} does not answer for now ({code}): {message}")
    if kind in WRONG_CLOCK or any(part in message for part in WRONG_CLOCK_MESSAGES):
        return ClockRefused(f"{what} refuses this machine's time ({code}): {message}", hint=CLOCK_HINT)
    if kind in EXPIRED:
        hint = "renew them: aws sso login, or a new role"
        return Unavailable(f"the AWS credentials for {what} have expired", hint=hint)
    if kind in REFUSED:
        hint = "check the credentials, and whether their policy allows it"
        return Denied(f"{action or 'access'} on {what} is denied ({code}): {message}", hint=hint)
    return _lasting(code, message, what, otherwise)


def _lasting(code: str, message: str, what: str, otherwise: type[PyanamoError]) -> PyanamoError:
    match code.removesuffix("Exception"):
        case "ResourceNotFound":
            return TableMissing(f"{what} does not exist", hint="create it with: pyanamo table create")
        case "NoSuchBucket":
            return BucketMissing(f"{what} does not exist", hint="create it, or correct `bucket`")
        case "NoSuchKey" | "NoSuchUpload":
            return OutputMissing(f"there is nothing at {what}")
    if any(part in message for part in OTHER_SCHEMA_MESSAGES):
        return SchemaMismatch(f"{what} does not belong to pyanamo: {message}", hint="use another table name")
    if "exceeded the maximum allowed size" in message:
        return RowTooLarge(f"{what}: {message} ({code})", hint=ITEM_LIMIT_HINT)
    return otherwise(f"{what}: {message} ({code})")


def _refusal(exc: boto.ClientError, what: str, otherwise: type[PyanamoError]) -> PyanamoError:
    response: Any = exc.response
    error, meta = response.get("Error", {}), response.get("ResponseMetadata", {})
    code, message = str(error.get("Code", "")), str(error.get("Message", ""))
    known = refusal(code, message, what, action=exc.operation_name, otherwise=otherwise)
    if isinstance(known, Unavailable):
        seconds = meta.get("HTTPHeaders", {}).get("retry-after", "")
        known.retry_after_s = min(float(seconds), LONGEST_WAIT_S) if seconds.isdecimal() else None
        return known
    status = meta.get("HTTPStatusCode", 0)
    is_proxys_redirect = status in REDIRECTS and code == str(status)  # those of S3 have a code in words
    if status >= FIRST_SERVER_ERROR or is_proxys_redirect:
        return Unavailable(f"{what} does not answer for now ({code}): {message}")
    return known

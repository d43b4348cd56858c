"""Translate what AWS and the network say into our errors.

Three questions decide. May the same call succeed later? Then `Unavailable`, and callers go on trying. Are we not let
in? Then `Denied`, which no retry heals. Is the thing itself missing or wrong? Then the error that names it.

An expired credential is `Unavailable`: whoever hands them out renews them (a role, SSO, a mounted file), and a worker
with hours of work behind it goes on trying until its lease is over. One that is missing or refused is `Denied`.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from aiohttp import ClientError as HttpError
from botocore import exceptions as boto

from pyanamo_async.errors import (
    BucketMissing,
    Denied,
    OutputMissing,
    PyanamoError,
    SchemaMismatch,
    StoreError,
    TableMissing,
    Unavailable,
)

THROTTLED = {
    "BandwidthLimitExceeded",
    "EC2ThrottledException",
    "LimitExceededException",
    "PriorRequestNotComplete",
    "ProvisionedThroughputExceeded",
    "ProvisionedThroughputExceededException",
    "RequestLimitExceeded",
    "RequestThrottled",
    "RequestThrottledException",
    "SlowDown",
    "ThrottledException",
    "Throttling",
    "ThrottlingError",
    "ThrottlingException",
    "TooManyRequests",
    "TooManyRequestsException",
    "TransactionInProgressException",
}
PASSING = {
    "InternalError",
    "InternalFailure",
    "InternalServerError",
    "OperationAborted",
    "RequestTimeout",
    "RequestTimeoutException",
    "ServiceUnavailable",
    "ServiceUnavailableException",
    "TransactionConflict",
    "TransactionConflictException",
}
EXPIRED = {"ExpiredToken", "ExpiredTokenException", "RequestExpired", "TokenRefreshRequired"}
REFUSED = {
    "403",
    "AccessDenied",
    "AccessDeniedException",
    "AllAccessDisabled",
    "AuthorizationHeaderMalformed",
    "IncompleteSignature",
    "IncompleteSignatureException",
    "InvalidAccessKeyId",
    "InvalidClientTokenId",
    "InvalidSignatureException",
    "MissingAuthenticationToken",
    "MissingAuthenticationTokenException",
    "NotAuthorized",
    "OptInRequired",
    "SignatureDoesNotMatch",
    "UnauthorizedOperation",
    "UnrecognizedClientException",
}
UNREACHABLE = (
    boto.HTTPClientError,
    boto.ConnectionError,
    boto.IncompleteReadError,
    boto.CredentialRetrievalError,
    boto.MetadataRetrievalError,
    HttpError,
    OSError,  # TimeoutError among them
)
NOT_LET_IN = (
    boto.NoCredentialsError,
    boto.PartialCredentialsError,
    boto.NoAuthTokenError,
    boto.TokenRetrievalError,
    boto.SSOError,
    boto.ProfileNotFound,
)
ITEM_LIMIT_HINT = "DynamoDB stores at most 400 KB an item: shorten its scripts, or split it into several items"
SIGNS_OF_ANOTHER_SCHEMA = (
    "does not have the specified index",
    "key element does not match the schema",
    "required keys was not given",
)
FIRST_SERVER_ERROR = 500


@contextmanager
def translated(what: str, *, otherwise: type[PyanamoError] = StoreError) -> Iterator[None]:
    """Raise our errors for those of AWS and the network; `what` names the thing touched, like `table 'reads'`.

    `otherwise` is the error for a refusal that has none of its own.
    """
    try:
        yield
    except PyanamoError:
        raise
    except (boto.BotoCoreError, boto.ClientError, HttpError, OSError) as exc:
        raise translate(exc, what, otherwise=otherwise) from exc


def translate(exc: Exception, what: str, *, otherwise: type[PyanamoError] = StoreError) -> PyanamoError:
    """Find our error for one of theirs."""
    match exc:
        case boto.ClientError():
            return _refusal(exc, what, otherwise)
        case boto.NoRegionError():
            return Denied(f"no AWS region is known for {what}", hint="give `region`, or set AWS_REGION")
        case boto.EndpointResolutionError() | boto.InvalidRegionError():
            return Denied(f"no AWS endpoint is known for {what}: {exc}", hint="is the region spelled right?")
        case _ if isinstance(exc, NOT_LET_IN):
            return Denied(
                f"no usable AWS credentials for {what}: {exc}",
                hint="set AWS_PROFILE, or log in (aws sso login, aws configure), or give the job a role",
            )
        case _ if isinstance(exc, UNREACHABLE):
            return Unavailable(f"{what} does not answer: {exc or type(exc).__name__}")
    return otherwise(f"{what}: {exc}")


def refusal(
    code: str, message: str, what: str, *, action: str = "", otherwise: type[PyanamoError] = StoreError
) -> PyanamoError:
    """Find our error for a code of AWS, as exceptions and the statements of a batch carry it."""
    if code in THROTTLED:
        return Unavailable(f"{what} is throttled ({code}): {message}", throttled=True)
    if code in PASSING:
        return Unavailable(f"{what} does not answer for now ({code}): {message}")
    if code in EXPIRED:
        hint = "renew them: aws sso login, or a new role"
        return Unavailable(f"the AWS credentials for {what} have expired", hint=hint)
    if code in REFUSED:
        hint = "do the credentials and their policy allow it?"
        return Denied(f"{action or 'access'} on {what} is denied ({code}): {message}", hint=hint)
    return _missing(code, what) or _invalid(message, what, otherwise) or otherwise(f"{what}: {message} ({code})")


def _missing(code: str, what: str) -> PyanamoError | None:
    match code:
        case "ResourceNotFoundException" | "ResourceNotFound":
            return TableMissing(f"{what} does not exist", hint="create it with: pyanamo table create")
        case "NoSuchBucket":
            return BucketMissing(f"{what} does not exist", hint="create it, or correct `bucket`")
        case "NoSuchKey" | "NoSuchUpload":
            return OutputMissing(f"there is nothing at {what}")
    return None


def _invalid(message: str, what: str, otherwise: type[PyanamoError]) -> PyanamoError | None:
    if any(sign in message for sign in SIGNS_OF_ANOTHER_SCHEMA):
        return SchemaMismatch(f"{what} is not one of ours: {message}", hint="use another table name")
    if "exceeded the maximum allowed size" in message:
        return otherwise(f"{what} refuses an item: {message}", hint=ITEM_LIMIT_HINT)
    return None


def _refusal(exc: boto.ClientError, what: str, otherwise: type[PyanamoError]) -> PyanamoError:
    response: Any = exc.response
    error, meta = response.get("Error", {}), response.get("ResponseMetadata", {})
    code, message = str(error.get("Code", "")), error.get("Message", "")
    known = refusal(code, message, what, action=exc.operation_name, otherwise=otherwise)
    if isinstance(known, Unavailable):
        known.retry_after_s = _retry_after_s(meta.get("HTTPHeaders", {}))
        return known
    if meta.get("HTTPStatusCode", 0) >= FIRST_SERVER_ERROR:
        return Unavailable(f"{what} does not answer for now ({code}): {message}")
    return known


def _retry_after_s(headers: dict[str, str]) -> float | None:
    wish = headers.get("retry-after", "")
    return float(wish) if wish.isdigit() else None

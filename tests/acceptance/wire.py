"""A service that answers every request with the same refusal, as AWS words it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager

from harness.loopback import Handler, serving


@contextmanager
def refusing(status: int, body: str, content_type: str) -> Iterator[str]:
    """Serve the refusal and yield the address."""

    class Refusal(Handler):
        def do_HEAD(self) -> None:  # noqa: N802 # the name is the base class's
            self.answer(status, {"Content-Type": content_type}, b"")

        def do_GET(self) -> None:  # noqa: N802 # the name is the base class's
            self.body()
            self.answer(status, {"Content-Type": content_type}, body.encode())

        do_POST = do_PUT = do_DELETE = do_GET  # noqa: N815 # the names are the base class's

    with serving(Refusal) as address:
        yield address


def dynamodb_refusal(error: str, message: str) -> tuple[int, str, str]:
    """Word a refusal of DynamoDB."""
    body = {"__type": f"com.amazon.coral.service#{error}", "message": message}
    return 400, json.dumps(body), "application/x-amz-json-1.0"


def s3_refusal(error: str, message: str) -> tuple[int, str, str]:
    """Word a refusal of S3."""
    return 403, f"<Error><Code>{error}</Code><Message>{message}</Message></Error>", "application/xml"

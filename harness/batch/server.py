"""The fake at an address of this machine, as an AWS client finds it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import MappingProxyType
from typing import Any

from harness import loopback
from harness.batch.rules import Refused
from harness.batch.service import FakeBatch
from harness.batch.wire import check_reply, read
from harness.loopback import Handler

SIZED = {"SubmitJob", "RegisterJobDefinition"}  # have a limit of their own for the whole request


@contextmanager
def serving(batch: FakeBatch) -> Iterator[tuple[FakeBatch, str]]:
    """Serve a fake, and yield it with its address; what it runs ends with it."""

    class Answering(Handler):
        def do_POST(self) -> None:  # noqa: N802 # the name is the base class's
            try:
                reply = answer(batch, self.path, dict(self.headers), self.body())
            except Refused as refused:
                self._send(400, {"message": str(refused)}, {"x-amzn-ErrorType": "ClientException"})
            else:
                self._send(200, reply)

        def _send(self, status: int, reply: dict[str, Any], headers: Mapping[str, str] = MappingProxyType({})) -> None:
            self.answer(status, {**headers, "Content-Type": "application/json"}, json.dumps(reply).encode())

    with loopback.serving(Answering) as address:
        try:
            yield batch, address
        finally:
            batch.close()


def answer(batch: FakeBatch, path: str, headers: dict[str, str], body: bytes) -> dict[str, Any]:
    """Answer a request; both sides must be as botocore's model of the service has them.

    Raises:
        Refused: Batch would refuse it.
    """
    request = read("POST", path, headers, body)
    operation = getattr(batch, re.sub(r"(?<!^)(?=[A-Z])", "_", request.operation).lower(), None)
    if operation is None:
        raise Refused(f"the fake has no {request.operation}")
    with batch.lock:
        given = (request.given, request.size_bytes) if request.operation in SIZED else (request.given,)
        reply: dict[str, Any] = json.loads(json.dumps(operation(*given)))  # a copy, before others change it
    check_reply(request.operation, reply)
    return reply

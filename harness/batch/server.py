"""The fake at an address of this machine, as an AWS client finds it."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from harness.batch.rules import Refused
from harness.batch.service import FakeBatch
from harness.batch.wire import check_reply, read

SIZED = {"SubmitJob", "RegisterJobDefinition"}  # have a limit of their own for the whole request


@contextmanager
def serving(batch: FakeBatch) -> Iterator[tuple[FakeBatch, str]]:
    """Serve a fake, and yield it with its address; what it runs ends with it."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            try:
                reply = answer(batch, self.path, dict(self.headers), body)
            except Refused as refused:
                self._send(400, {"message": str(refused)}, error="ClientException")
            else:
                self._send(200, reply)

        def _send(self, status: int, reply: dict[str, Any], *, error: str = "") -> None:
            content = json.dumps(reply).encode()
            self.send_response(status)
            if error:
                self.send_header("x-amzn-ErrorType", error)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 # as the base class has it
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield batch, f"http://127.0.0.1:{server.server_port}"
        finally:
            batch.close()
            server.shutdown()
            thread.join()


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

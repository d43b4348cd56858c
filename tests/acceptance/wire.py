"""Services of our own making, and one that answers every request with the same refusal, as AWS words it."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Handler(BaseHTTPRequestHandler):
    """Answers requests on connections that stay open, and logs none."""

    protocol_version = "HTTP/1.1"

    def body(self) -> bytes:
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def answer(self, status: int, headers: Mapping[str, str], content: bytes) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 # the name is the base class's
        """Say nothing."""


@contextmanager
def serving(handler: type[Handler]) -> Iterator[str]:
    """Serve on a loopback port and yield its address."""
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


@contextmanager
def refusing(status: int, body: str, content_type: str) -> Iterator[str]:
    """Serve the refusal and yield the address."""

    class Refusal(Handler):
        def do_HEAD(self) -> None:
            self.answer(status, {"Content-Type": content_type}, b"")

        def do_GET(self) -> None:
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

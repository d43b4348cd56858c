"""A service that answers every request with the same refusal, as AWS words it."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@contextmanager
def refusing(status: int, body: str, content_type: str) -> Iterator[str]:
    """Serve the refusal on a loopback port and yield its address."""

    class Refusal(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_HEAD(self) -> None:
            self._refuse(b"")

        def do_GET(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            self._refuse(body.encode())

        do_POST = do_PUT = do_DELETE = do_GET  # noqa: N815 # the names are the base class's

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 # the name is the base class's
            """Say nothing."""

        def _refuse(self, content: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Type", content_type)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

    with ThreadingHTTPServer(("127.0.0.1", 0), Refusal) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def dynamodb_refusal(error: str, message: str) -> tuple[int, str, str]:
    """Word a refusal of DynamoDB."""
    body = {"__type": f"com.amazon.coral.service#{error}", "message": message}
    return 400, json.dumps(body), "application/x-amz-json-1.0"


def s3_refusal(error: str, message: str) -> tuple[int, str, str]:
    """Word a refusal of S3."""
    return 403, f"<Error><Code>{error}</Code><Message>{message}</Message></Error>", "application/xml"

"""Serve moto (S3, CloudWatch Logs, Batch, autoscaling) on a loopback port: `python -m harness.servers.moto PORT`.

Moto is not atomic: of 50 conditional writes at once two may win. Here one lock is around every request; each connection
has a thread of its own, and a body is read before the lock is taken, so nobody waits for somebody's slow upload.
"""

from __future__ import annotations

import io
import logging
import sys
import threading
from collections.abc import Callable, Iterable
from typing import Any

from moto.core.config import default_user_config
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, MotoRequestHandler, create_backend_app
from werkzeug.serving import run_simple

Environ = dict[str, Any]
App = Callable[[Environ, Callable[..., Any]], Iterable[bytes]]


class OneAtATime:
    """A WSGI application that lets one request in at a time."""

    def __init__(self, app: App) -> None:
        self._app = app
        self._lock = threading.Lock()

    def __call__(self, environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
        environ["wsgi.input"] = io.BytesIO(_body(environ))
        with self._lock:
            return list(self._app(environ, start_response))


class KeepAlive(MotoRequestHandler):
    """Connections that stay open between requests, as those of the real services do."""

    protocol_version = "HTTP/1.1"


def _body(environ: Environ) -> bytes:
    body: bytes = environ["wsgi.input"].read(
        -1 if environ.get("wsgi.input_terminated") else int(environ.get("CONTENT_LENGTH") or 0)
    )
    return body


if __name__ == "__main__":
    logging.getLogger("werkzeug").setLevel(logging.WARNING)  # not a line for each request
    default_user_config["batch"]["use_docker"] = False  # jobs end at once
    application = OneAtATime(DomainDispatcherApplication(create_backend_app))
    run_simple("127.0.0.1", int(sys.argv[1]), application, threaded=True, request_handler=KeepAlive)

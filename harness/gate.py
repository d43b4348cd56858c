"""A gate before a service: it names each request as AWS does, writes it down, and lets through what a policy allows.

It speaks HTTP, so it stands before any process: clients find it by the variables with which they find the service.
Operations are told by botocore's own models of the services. Which action of IAM an operation needs is written in
`harness.iam`.
"""

from __future__ import annotations

import http.client
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import cache
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import botocore.session

from harness.loopback import Handler, serving

VARIABLES = {
    "batch": "BATCH",
    "dynamodb": "DYNAMODB",
    "ecr": "ECR",
    "logs": "CLOUDWATCH_LOGS",
    "s3": "S3",
    "service-quotas": "SERVICE_QUOTAS",
    "sts": "STS",
}
HOP_BY_HOP = {"connection", "content-length", "date", "keep-alive", "server", "transfer-encoding"}
NO_BODY = {"HEAD"}
COMPLETE = "CompleteMultipartUpload"
BATCH = {
    "CancelJob": {"jobId": "job"},
    "GetJobQueueSnapshot": {"jobQueue": "job-queue"},
    "SubmitJob": {"jobDefinition": "job-definition", "jobQueue": "job-queue"},
    "TerminateJob": {"jobId": "job"},
}
"""What IAM can name of a call to Batch; all else is for everything or nothing."""
STATEMENT = re.compile(r'(INSERT|UPDATE|DELETE) (?:INTO |FROM )?"([^"]+)"')


@dataclass(frozen=True, slots=True, order=True)
class Call:
    """A request to a service: its operation in AWS's words, with the verb of a PartiQL statement, and what it is on."""

    service: str
    operation: str
    verb: str = ""
    resource: str = ""


@dataclass
class Gate:
    """What came through, and what may: `allows` is asked for each call.

    The first reply to each operation in `lost` is lost. If that was that an upload is complete, the upload is unknown
    when the request is repeated: clients then look whether it was carried out.
    """

    allows: Callable[[Call], bool] = lambda _: True
    lost: set[str] = field(default_factory=set)
    calls: set[Call] = field(default_factory=set)
    denied: set[Call] = field(default_factory=set)
    _forgotten: set[Call] = field(default_factory=set)

    def let(self, calls: Sequence[Call]) -> bool:
        """Write calls down, and return whether they may pass."""
        refused = {call for call in calls if not self.allows(call)}
        self.denied |= refused
        self.calls |= {*calls} - refused
        return not refused

    def loses(self, calls: Sequence[Call]) -> bool:
        """Return whether the reply to these calls gets lost."""
        found = {call for call in calls if call.operation in self.lost}
        self.lost -= {call.operation for call in found}
        self._forgotten |= found
        return bool(found)

    def has_forgotten(self, calls: Sequence[Call]) -> bool:
        """Return whether these would complete an upload that is complete."""
        return any(call.operation == COMPLETE and call in self._forgotten for call in calls)


@contextmanager
def gated(env: Mapping[str, str], gate: Gate) -> Iterator[dict[str, str]]:
    """Yield the environment in which clients of all services come through the gate."""
    with ExitStack() as stack:
        changed = dict(env)
        for service, name in VARIABLES.items():
            variable = f"AWS_ENDPOINT_URL_{name}"
            if variable in env:
                changed[variable] = stack.enter_context(_serving(service, env[variable], gate))
        yield changed


@contextmanager
def _serving(service: str, endpoint: str, gate: Gate) -> Iterator[str]:
    there = urlsplit(endpoint).netloc

    class Passing(Handler):
        def pass_on(self) -> None:
            body = self.body()
            calls = calls_of(service, self.command, self.path, self.headers.get("X-Amz-Target", ""), body)
            if not gate.let(calls):
                self.answer(*_refusal(service))
                return
            if gate.has_forgotten(calls):
                self.answer(404, {"Content-Type": "application/xml"}, b"<Error><Code>NoSuchUpload</Code></Error>")
                return
            connection = http.client.HTTPConnection(there)
            headers = {name: value for name, value in self.headers.items() if name.lower() != "expect"}
            connection.request(self.command, self.path, body, headers)
            reply = connection.getresponse()
            kept = {name: value for name, value in reply.getheaders() if name.lower() not in HOP_BY_HOP}
            length = reply.getheader("Content-Length") if self.command in NO_BODY else None
            content = reply.read()
            connection.close()
            if gate.loses(calls):
                self.close_connection = True
                return
            self.answer(reply.status, kept, b"" if self.command in NO_BODY else content, length=length)

        do_DELETE = do_GET = do_HEAD = do_POST = do_PUT = pass_on  # noqa: N815 # the names are the base class's

    with serving(Passing) as address:
        yield address


def calls_of(service: str, method: str, target: str, named: str, body: bytes) -> list[Call]:
    """Return the calls of a request, which a header may name: one, or one for each kind of statement in a batch."""
    url = urlsplit(target)
    if service == "s3":
        return [_s3_call(method, unquote(url.path), parse_qs(url.query, keep_blank_values=True))]
    if named:
        return _json_calls(service, named.rpartition(".")[2], json.loads(body or b"{}"))
    if service == "batch":
        return _batch_calls(_rest_operation(service, method, url.path), json.loads(body or b"{}"))
    return [Call(service, parse_qs(body.decode())["Action"][0])]


def _batch_calls(operation: str, asked: Mapping[str, Any]) -> list[Call]:
    """Return a call for each thing that is named, and for tags that are given with a job."""
    named = [f"{kind}/{asked[name]}" for name, kind in BATCH.get(operation, {}).items()]
    tagging = [Call("batch", operation, "tags", "job/new")] if asked.get("tags") else []
    return [Call("batch", operation, resource=each) for each in named or [""]] + tagging


def _json_calls(service: str, operation: str, asked: Any) -> list[Call]:  # noqa: ANN401 # JSON
    if service != "dynamodb":
        return [Call(service, operation, resource=asked.get("repositoryName", ""))]
    if operation == "BatchExecuteStatement":
        matches = [STATEMENT.match(each["Statement"]) for each in asked["Statements"]]
        assert all(matches), asked["Statements"]
        return sorted({Call(service, operation, each[1], f"table/{each[2]}") for each in matches if each})
    tables = asked.get("RequestItems") or [asked.get("TableName", "")]
    index = f"/index/{asked['IndexName']}" if "IndexName" in asked else ""
    return [Call(service, operation, resource=f"table/{name}{index}") for name in tables]


def _s3_call(method: str, path: str, query: Mapping[str, list[str]]) -> Call:
    bucket, _, key = path.lstrip("/").partition("/")
    fitting = [
        (len(needed), name)
        for name, of_method, has_key, needed in _s3_operations()
        if of_method == method and has_key == bool(key) and needed <= {*query}
    ]
    operation = max(fitting)[1]
    verb = "version" if "versionId" in query else ""
    return Call("s3", operation, verb, f"{bucket}/{key}" if key else bucket)


@cache
def _s3_operations() -> list[tuple[str, str, bool, frozenset[str]]]:
    """Return the operations of S3, each with its method, whether it has a key, and what its query must have."""
    model = botocore.session.get_session().get_service_model("s3")
    found = []
    for name in model.operation_names:
        operation = model.operation_model(name)
        uri = urlsplit(operation.http["requestUri"])
        needed = {*parse_qs(uri.query, keep_blank_values=True)}
        required = _required(operation.input_shape)
        needed |= {each["name"] for each in required if each.get("location") == "querystring"}
        of_header = any(each.get("location") == "header" for each in required)
        if not of_header:  # copies, which name their source in a header
            found.append((name, operation.http["method"], "{Key+}" in uri.path, frozenset(needed)))
    return found


def _required(shape: Any) -> list[Any]:  # noqa: ANN401 # botocore has no types
    """Return where the required members of a request stand."""
    return (
        [each.serialization for name, each in shape.members.items() if name in shape.required_members] if shape else []
    )


@cache
def _rest_operation(service: str, method: str, path: str) -> str:
    model = botocore.session.get_session().get_service_model(service)
    operations = {name: model.operation_model(name).http for name in model.operation_names}
    return next(name for name, http in operations.items() if (http["method"], http["requestUri"]) == (method, path))


def _refusal(service: str) -> tuple[int, dict[str, str], bytes]:
    message = "not authorized to perform this"
    if service in {"s3", "sts"}:
        body = f"<Error><Code>AccessDenied</Code><Message>{message}</Message></Error>"
        return 403, {"Content-Type": "application/xml"}, body.encode()
    said = {"__type": "AccessDeniedException", "message": message, "Message": message}
    headers = {"Content-Type": "application/x-amz-json-1.0", "x-amzn-errortype": "AccessDeniedException"}
    return 400, headers, json.dumps(said).encode()

"""Read requests of AWS clients, and refuse what botocore's own model of the service does not have.

Batch speaks REST with JSON bodies; Service Quotas, which tells what Fargate may run, JSON with a target header.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import botocore.session
from botocore.model import ServiceModel
from botocore.validate import ParamValidator

from harness.batch.rules import Refused

TARGET = "x-amz-target"
NEWER = {"stopTimeout"}  # members of the service that this botocore's model does not have yet


@dataclass(frozen=True, slots=True)
class Request:
    """An operation of a service, what it was given, and how large that was."""

    operation: str
    given: dict[str, Any]
    size_bytes: int


def read(method: str, path: str, headers: Mapping[str, str], body: bytes) -> Request:
    """Read a request.

    Raises:
        Refused: there is no such operation, or its members are not what the model says.
    """
    target = {name.lower(): value for name, value in headers.items()}.get(TARGET, "")
    service, operation = ("service-quotas", target.partition(".")[2]) if target else ("batch", _at(method, path))
    model = service_model(service).operation_model(operation)
    given: dict[str, Any] = json.loads(body or b"{}")
    check(given, model.input_shape)
    return Request(operation, given, len(body))


def check(given: Mapping[str, Any], shape: Any) -> None:  # noqa: ANN401 # botocore has no types
    """Refuse what does not fit a shape: unknown members, missing ones, wrong types, values that are not in an enum."""
    given = _without_newer(given)
    problems = ParamValidator().validate(given, shape)
    if problems.has_errors():
        raise Refused(f"Error executing request, Exception : {problems.generate_report()}")
    _check_members(given, shape, shape.name)


def check_reply(operation: str, reply: Mapping[str, Any]) -> None:
    """See that what the fake answers is what the real service may answer."""
    service = "service-quotas" if operation == "GetServiceQuota" else "batch"
    check(reply, service_model(service).operation_model(operation).output_shape)


@cache
def service_model(service: str) -> ServiceModel:
    """Load the model of a service."""
    return botocore.session.get_session().get_service_model(service)


@cache
def _paths() -> dict[tuple[str, str], str]:
    model = service_model("batch")
    https = {name: model.operation_model(name).http for name in model.operation_names}
    return {(http["method"], http["requestUri"]): name for name, http in https.items()}


def _at(method: str, path: str) -> str:
    try:
        return _paths()[method, path]
    except KeyError:
        raise Refused(f"there is no operation at {method} {path}") from None


def _without_newer(value: Any) -> Any:  # noqa: ANN401 # any part of a request
    match value:
        case dict():
            return {name: _without_newer(each) for name, each in value.items() if name not in NEWER}
        case list():
            return [_without_newer(each) for each in value]
    return value


def _check_members(given: Any, shape: Any, where: str) -> None:  # noqa: ANN401 # as above
    """Refuse members that a structure does not have, and values that an enum does not have: botocore sends both."""
    match shape.type_name:
        case "structure":
            for name, value in given.items():
                if name not in shape.members:
                    raise Refused(f"unknown member {where}.{name}")
                _check_members(value, shape.members[name], f"{where}.{name}")
        case "list":
            for each in given:
                _check_members(each, shape.member, where)
        case "string" if shape.enum and given not in shape.enum and shape.name != "RetryAction":  # in any case
            raise Refused(f"{where} is '{given}', not one of {', '.join(shape.enum)}")

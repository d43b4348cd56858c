"""Convert between plain values and DynamoDB's typed ones.

Plain values are `str`, `int`, `float`, `dict` and `list`, as in `core.stored.record`. Numbers travel as text, a float
as the shortest text that reads back as the same float. Types that only other tools write are read as they are.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Attribute = dict[str, Any]
Attributes = dict[str, Attribute]


def marshal(value: object) -> Attribute:
    """Return a plain value, typed.

    Raises:
        TypeError: it is not a plain value, or a number that is not finite.
    """
    match value:
        case str():
            return {"S": str(value)}
        case bool():
            raise TypeError(f"{value!r} is not a plain value")
        case int():
            return {"N": str(value)}
        case float() if abs(value) < float("inf"):
            return {"N": repr(value)}
        case dict():
            return {"M": {name: marshal(each) for name, each in value.items()}}
        case list():
            return {"L": [marshal(each) for each in value]}
    raise TypeError(f"{value!r} is not a plain value")


def unmarshal(attribute: Mapping[str, Any]) -> Any:  # noqa: ANN401 - whatever was stored
    """Return a typed value, plain."""
    [(kind, value)] = attribute.items()
    match kind:
        case "S":
            return value
        case "N":
            return _number(value)
        case "M":
            return {name: unmarshal(each) for name, each in value.items()}
        case "L":
            return [unmarshal(each) for each in value]
        case "NULL":
            return None
    return value


def marshal_row(row: Mapping[str, object]) -> Attributes:
    """Return a row, typed."""
    return {name: marshal(value) for name, value in row.items()}


def unmarshal_row(attributes: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Return a row, plain."""
    return {name: unmarshal(attribute) for name, attribute in attributes.items()}


def _number(text: str) -> int | float:
    try:
        return int(text)
    except ValueError:
        return float(text)

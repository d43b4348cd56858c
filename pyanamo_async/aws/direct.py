"""Speak DynamoDB's JSON as it is, without walking botocore's model of it.

botocore copies every request and reply value by value, guided by the service's model, only to arrive at the same JSON.
For the operations on items, whose arguments stand here in the service's own form, that is a quarter of all CPU time a
claim or a save takes. Both places are private to the aiobotocore that pyproject.toml pins; a test holds them.
"""

from __future__ import annotations

from typing import Any

import orjson
from aiobotocore.parsers import AioJSONParser

TARGET = "DynamoDB_20120810"
ITEM_REPLIES = frozenset(
    f"{operation}Output"
    for operation in (
        "BatchExecuteStatement",
        "BatchGetItem",
        "DeleteItem",
        "GetItem",
        "PutItem",
        "Query",
        "UpdateItem",
    )
)
"""Replies without times or bytes, so that nothing in them needs the model."""


def speak_directly(client: Any) -> None:  # noqa: ANN401 - the places have no types
    """Make a DynamoDB client write and read JSON directly."""
    client._serializer = _Serializer()  # noqa: SLF001 - there is no door
    client._endpoint._response_parser_factory = _ParserFactory()  # noqa: SLF001 - there is no door


class _Serializer:
    def serialize_to_request(self, parameters: dict[str, Any], operation: Any) -> dict[str, Any]:  # noqa: ANN401 - botocore's
        return {
            "url_path": "/",
            "query_string": "",
            "method": "POST",
            "headers": {"X-Amz-Target": f"{TARGET}.{operation.name}", "Content-Type": "application/x-amz-json-1.0"},
            "body": orjson.dumps(parameters),
        }


class _Parser(AioJSONParser):
    def _handle_json_body(self, raw_body: bytes, shape: Any) -> Any:  # noqa: ANN401 - botocore's
        if shape is not None and shape.name in ITEM_REPLIES:
            return orjson.loads(raw_body)
        return super()._handle_json_body(raw_body, shape)  # type: ignore[misc] # the stubs leave it out


class _ParserFactory:
    def create_parser(self, _: str) -> _Parser:
        return _Parser()

"""Read DynamoDB's replies about items as the JSON they are, instead of through botocore's model of the service.

Our store takes attributes in the service's own form, which is what the model arrives at, value by value. For a claimed
row of 480 KB with 1,000 tasks that blocks the loop for 115 ms, this for 12; for a small row it takes 0.3 ms less of 1.

Laws:
1. botocore's public event `before-parse` hands over the reply; errors and all other operations are botocore's to read.
2. A reply that is no JSON is `Unavailable`: botocore would take it for an empty one.
"""

from __future__ import annotations

from typing import Any

import orjson

from pyanamo_async.aws.meter import READS, WRITES
from pyanamo_async.errors import Unavailable

FIRST_ERROR = 300


def read_as_json(client: Any) -> None:  # noqa: ANN401 - its events have no types
    """Have a client of DynamoDB read replies about items as JSON."""
    for operation in READS | WRITES:
        client.meta.events.register(f"before-parse.dynamodb.{operation}", _parse)


def _parse(response_dict: dict[str, Any], customized_response_dict: dict[str, Any], **_: object) -> None:
    """Fill the reply in; what is left for botocore to parse is an empty object."""
    if response_dict["status_code"] >= FIRST_ERROR:
        return
    try:
        customized_response_dict.update(orjson.loads(response_dict["body"]))
    except (TypeError, ValueError) as exc:
        raise Unavailable("DynamoDB sent a reply that is no JSON") from exc
    response_dict["body"] = b"{}"

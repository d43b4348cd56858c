"""Count what requests to DynamoDB cost: the capacity units that its replies report on request.

Error replies do not report units, although a write whose condition was not met is charged. Nor do replies of DynamoDB
Local to batches.
"""

from __future__ import annotations

from typing import Any

from pyanamo_async.ports import Units

WRITES = frozenset({"BatchExecuteStatement", "DeleteItem", "PutItem", "UpdateItem"})
READS = frozenset({"BatchGetItem", "GetItem", "Query", "Scan"})


class Meter:
    """Adds up the units of the clients it is attached to."""

    def __init__(self) -> None:
        self.units = Units()

    def attach(self, client: Any) -> None:  # noqa: ANN401 - its events have no types
        """Have a client ask for units, and count them."""
        client.meta.events.register("provide-client-params.dynamodb", _ask)
        client.meta.events.register("after-call.dynamodb", self._note)

    def _note(self, parsed: dict[str, Any], model: Any, **_: object) -> None:  # noqa: ANN401 - botocore's
        if model.name not in WRITES | READS:
            return
        reported = parsed.get("ConsumedCapacity")
        units = sum(each["CapacityUnits"] for each in ([reported] if isinstance(reported, dict) else reported or []))
        self.units += Units(write=units) if model.name in WRITES else Units(read=units)
        self.units += Units(unreported=not reported)


def _ask(params: dict[str, Any], model: Any, **_: object) -> None:  # noqa: ANN401 - botocore's
    if model.name in WRITES | READS:
        params["ReturnConsumedCapacity"] = "TOTAL"

"""What a DynamoDB table takes, in units a second, what scales it, and how it is written as a template."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from enum import StrEnum
from typing import Any, Protocol

from pyanamo_async.core.values import Value

TABLE = ""
"""The name under which the table itself stands among its indexes."""


class Throughput(Value):
    """Units a second, of reads and of writes; 0 where nothing is provisioned, asked for or known."""

    read: int = 0
    write: int = 0


class PartCapacity(Value):
    """What the table itself (`index` is empty), or one of its indexes, takes.

    `provisioned` is what is paid for, and nothing on demand. `warm` is what it takes at once.
    """

    index: str
    provisioned: Throughput = Throughput()
    warm: Throughput = Throughput()


class Capacity(Value):
    """What a table takes: first the table itself, then each index. `is_changing` while a change is carried out."""

    table: str
    on_demand: bool
    is_changing: bool
    parts: tuple[PartCapacity, ...]


class Operation(StrEnum):
    """What units are paid for."""

    WRITE = "write"
    READ = "read"


class ScalingPolicy(Value):
    """How the reads or writes of a table (`index` is empty) or an index are scaled.

    The provisioned units stay between the two, such that `target_percent` of them are in use. After a change nothing
    is changed again for a cooldown.
    """

    name: str
    index: str
    operation: Operation
    min_capacity: int
    max_capacity: int
    target_percent: float
    in_cooldown: timedelta
    out_cooldown: timedelta


class CapacityAdmin(Protocol):
    """Look at and change what a table takes; whatever is asked for is asked for as it is."""

    async def describe(self) -> Capacity:
        """Describe what the table and its indexes take."""
        ...

    async def change(
        self,
        *,
        on_demand: bool | None = None,
        provisioned: Mapping[str, Throughput] | None = None,
        warm: Mapping[str, Throughput] | None = None,
    ) -> None:
        """Ask for changes in one request, each by the name of the index; the service takes minutes to carry them out.

        `on_demand` is how it is billed from now on, None as before.
        """
        ...

    async def scaling(self) -> list[ScalingPolicy]:
        """List the target-tracking policies of the table and of its indexes, whoever registered them."""
        ...

    async def scale(self, policy: ScalingPolicy) -> None:
        """Register a policy and the range that it scales within, or overwrite those of the same name."""
        ...

    async def template(self) -> dict[str, Any]:
        """Return the table as a resource of CloudFormation: with keys, indexes, billing, tags and protection."""
        ...

"""What a table looks like, how it is created, and what its requests cost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from pyanamo_async.core.values import Value


class Index(Value):
    """An index of the table."""

    name: str
    keys: tuple[str, ...]
    projection: str


class Description(Value):
    """What a table looks like.

    `output_namespace` is the folder name of its output, which no other table ever has. `extra_indexes` are the indexes
    that are not ours, in the form that `TableAdmin.create` takes.
    """

    table: str
    output_namespace: str
    keys: tuple[str, ...]
    indexes: tuple[Index, ...]
    shards: int
    schema_version: int
    billing: str
    status: str = ""
    size_bytes: int | None = None
    created: datetime | None = None
    extra_indexes: tuple[Mapping[str, object], ...] = ()


Indexes = Sequence[Mapping[str, object]]
"""Extra indexes of a table in DynamoDB's own form (`GlobalSecondaryIndexes`)."""


class TableOptions(Value):
    """What a new DynamoDB table is to have besides items: all of it optional.

    `kms_key` is a key's id, ARN or alias; without one DynamoDB encrypts with a key of its own.
    """

    tags: tuple[tuple[str, str], ...] = ()
    kms_key: str = ""
    point_in_time_recovery: bool = False
    deletion_protection: bool = False


NO_OPTIONS = TableOptions()


class Units(Value):
    """Capacity units that a table was charged for, as DynamoDB counts them, indexes included.

    `unreported` counts the requests whose reply did not name its units.
    """

    write: float = 0.0
    read: float = 0.0
    unreported: int = 0

    def __add__(self, more: Units) -> Units:
        """Add the units of later requests."""
        return Units(self.write + more.write, self.read + more.read, self.unreported + more.unreported)

    def __sub__(self, before: Units) -> Units:
        """Return the units charged since."""
        return Units(self.write - before.write, self.read - before.read, self.unreported - before.unreported)


class Creation(StrEnum):
    """What became of a table that was to be there: `COMPLETED` is an empty one that another tool had made."""

    CREATED = "created"
    COMPLETED = "completed"
    FOUND = "found"


class TableAdmin(Protocol):
    """Create, describe and delete the table."""

    async def create(self, *, shards: int, indexes: Indexes = (), options: TableOptions = NO_OPTIONS) -> Creation:
        """Create the table and wait until it is usable; return what there was to do.

        One of the right schema that exists is left as it is, and needs no right to create it. An empty one that another
        tool made is completed. `indexes` are extra indexes in DynamoDB's own
        form (`GlobalSecondaryIndexes`); stores without them refuse. `options` are DynamoDB's, and ignored elsewhere.
        """
        ...

    async def describe(self) -> Description:
        """Describe the table."""
        ...

    async def drop(self) -> None:
        """Delete the table and all its items."""
        ...

    async def close(self) -> None:
        """Release connections, threads and files; harmless when repeated."""
        ...

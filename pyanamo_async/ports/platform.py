"""What stands around a table: the account, the bucket, and what AWS Batch starts workers with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Protocol

from pyanamo_async.core.values import Value

FARGATE, FARGATE_SPOT = "FARGATE", "FARGATE_SPOT"


class Caller(Value):
    """Whose credentials these are, and the region in which they are used."""

    account: str
    arn: str
    region: str


class TableCondition(Value):
    """The state of a table and of the index that workers claim by, in DynamoDB's words; no index is empty."""

    status: str
    index_status: str


class BucketCondition(Value):
    """The region of a bucket, empty where that is not told, and when it aborts unfinished uploads: None for never."""

    region: str
    aborts_uploads_after: timedelta | None


class RetryRule(Value):
    """One rule of `evaluateOnExit`: what it matches, None for anything, and whether it retries."""

    retries: bool
    on_status_reason: str | None = None
    on_reason: str | None = None
    on_exit_code: str | None = None


class JobDefinition(Value):
    """What a job of a definition is: its container's image, command and variables, and when Batch ends or retries it.

    `stop_timeout` is the time from SIGTERM to SIGKILL; None where the definition leaves that to the platform.
    `container` is the name of the container, which only definitions with `ecsProperties` have; `cpus` are its vCPUs and
    `memory_bytes` its memory.
    """

    name: str
    image: str
    platforms: tuple[str, ...] = ()
    command: tuple[str, ...] = ()
    environment: Mapping[str, str] = {}
    attempts: int = 1
    rules: tuple[RetryRule, ...] = ()
    attempt_limit: timedelta | None = None
    stop_timeout: timedelta | None = None
    container: str = ""
    cpus: float | None = None
    memory_bytes: int | None = None


class JobQueue(Value):
    """A queue: `problem` says why it starts nothing; its kinds of capacity as `SPOT`, and their CPUs at most.

    One with `fair_share` has a scheduling policy, by which each job needs a share identifier.
    """

    name: str
    problem: str
    kinds: tuple[str, ...]
    max_cpus: int
    fair_share: bool = False


class Image(Value):
    """An image in a registry: its size as it is pulled, compressed."""

    size_bytes: int


class Platform(Protocol):
    """Look at what stands around a table; nothing that is there is changed.

    Every method raises `Denied` where the caller lacks the right to look.
    """

    async def caller(self) -> Caller:
        """Return who asks; raise `RegionMissing` or `Denied` where region or credentials are missing."""
        ...

    async def table(self) -> TableCondition:
        """Describe the table; raise `TableMissing`."""
        ...

    async def denied(self) -> Sequence[str]:
        """Try what a worker does to the table, by calls that change nothing, and return the actions that are denied."""
        ...

    async def bucket(self) -> BucketCondition:
        """Describe the bucket; raise `BucketMissing`."""
        ...

    async def definition(self, name: str) -> JobDefinition | None:
        """Return the newest active revision of a job definition, or the one that is named; None for none."""
        ...

    async def queue(self, name: str) -> JobQueue | None:
        """Return a job queue; None for none."""
        ...

    async def image(self, address: str) -> Image | None:
        """Return an image of ECR; None for one that is not there. Raise `UsageError` for one of another registry."""
        ...

    async def cpu_quota(self, kind: str) -> float | None:
        """Return how many CPUs the account may use at once on `FARGATE` or `FARGATE_SPOT`; None if that is not told."""
        ...

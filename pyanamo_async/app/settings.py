"""Settings: everything a command was told, by flags and environment, validated once.

Only `app` reads them; adapters and the worker take plain values.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum

from pyanamo_async.app.locations import Folder, OutputAddress, SqliteTable, TableAddress, read_output, read_table
from pyanamo_async.core.failure_policy import FailurePolicy
from pyanamo_async.core.text.byte_sizes import parse_size
from pyanamo_async.core.text.durations import parse_duration, show_duration
from pyanamo_async.errors import UsageError

DEFAULT_TABLE = "sqlite:pyanamo.db"
DEFAULT_FOLDER = "file:pyanamo-logs"
DEFAULT_KEY = "PyAnamo"
DEFAULT_SHARDS = 16
HEARTBEATS_PER_LEASE = 3
SPOOL_MEMORY = "64MiB"
_LOG_GROUP = re.compile(r"[A-Za-z0-9_./#-]{1,512}")
_ENCRYPTION = re.compile(r"AES256|aws:kms(:[^:].*)?")


class LoopKind(StrEnum):
    """Which event loop the worker runs on."""

    FAST = "fast"
    UVLOOP = "uvloop"
    ASYNCIO = "asyncio"


@dataclass(frozen=True, slots=True)
class WorkerSettings:
    """How a worker runs: how much at once, for how long, and what it makes of endings.

    `wait` polls for new work when there is none; `idle_exit` ends that after so long without any. `shell` None means
    bash where there is one, else sh, and none for plain commands. `min_remaining` is the least wall time that must be
    left for anything to start. Without `task_credentials` nothing in a script's environment leads to the worker's AWS
    credentials.
    """

    items: int = 1
    nests: int = 1
    wall_time: timedelta | None = None
    wait: bool = False
    idle_exit: timedelta | None = None
    shell: str | None = None
    exit_zero: bool = False
    loop: LoopKind = LoopKind.FAST
    timeout: timedelta | None = None
    policy: FailurePolicy = field(default_factory=FailurePolicy)
    heartbeat: timedelta = timedelta(seconds=20)
    lease: timedelta = timedelta(seconds=180)
    grace: timedelta = timedelta(seconds=20)
    min_remaining: timedelta = timedelta()
    linger: timedelta = timedelta(seconds=2)
    task_credentials: bool = True

    def __post_init__(self) -> None:
        """Refuse what cannot be meant."""
        if self.lease < HEARTBEATS_PER_LEASE * self.heartbeat:
            raise UsageError(
                f"--lease {show_duration(self.lease)} is shorter than three beats of {show_duration(self.heartbeat)}",
                hint="one lost beat must not cost a worker its items; lengthen --lease or shorten --heartbeat",
            )
        if self.policy.backoff_min > self.policy.backoff_max:
            raise UsageError("--backoff begins above its end", hint="write it like 1s..10m")
        if self.wall_time is not None and self.min_remaining >= self.wall_time:
            raise UsageError(
                f"--min-remaining {show_duration(self.min_remaining)} leaves nothing of the wall time",
                hint="nothing would ever start; lower it or raise --wall-time (PYANAMO_WALL_TIME)",
            )


@dataclass(frozen=True, slots=True)
class OutputSettings:
    """How a worker keeps output: the memory for all that is on its way, and how objects of a bucket are encrypted.

    `sse` is empty for the bucket's own rule. `log_group` takes output of up to 10 MB; empty for no CloudWatch Logs.
    """

    spool_bytes: int = parse_size(SPOOL_MEMORY)
    sse: str = ""
    log_group: str = ""


@dataclass(frozen=True, slots=True)
class Settings:
    """Where the table is, where output goes, and how a worker runs.

    `output` is None when a DynamoDB table was given and no bucket: enough for all that never touches output.
    """

    table: TableAddress
    output: OutputAddress | None
    region: str | None = None
    running: WorkerSettings = field(default_factory=WorkerSettings)
    keeping: OutputSettings = field(default_factory=OutputSettings)

    @property
    def table_name(self) -> str:
        """Name the table as people do: a SQLite file's name without folder and suffix."""
        return self.table.path.stem if isinstance(self.table, SqliteTable) else self.table.name

    @property
    def own_log_group(self) -> str:
        """Name the log group that its output goes to when no other is named."""
        return f"/PyAnamo/{self.table_name}"

    def need_output(self) -> OutputAddress:
        """Tell where output goes.

        Raises:
            UsageError: nobody said.
        """
        if self.output is None:
            raise UsageError(
                f"no bucket for the output of table {self.table}",
                hint="give -b BUCKET, s3://bucket/prefix or file:DIR (or S3_BUCKET)",
            )
        return self.output


def settings(
    *,
    table: str = DEFAULT_TABLE,
    bucket: str | None = None,
    bucket_key: str = DEFAULT_KEY,
    region: str | None = None,
    running: WorkerSettings | None = None,
) -> Settings:
    """Make settings of what people wrote.

    Raises:
        UsageError: an address is none.
    """
    address = read_table(table)
    if bucket is None and isinstance(address, SqliteTable):
        bucket = DEFAULT_FOLDER
    return Settings(
        table=address,
        output=read_output(bucket, key=bucket_key) if bucket else None,
        region=region or None,
        running=running or WorkerSettings(),
    )


def read_duration(text: str, flag: str, *, zero: bool = False) -> timedelta:
    """Read the duration of a flag.

    Raises:
        UsageError: it is no duration, or nothing at all without `zero`.
    """
    try:
        span = parse_duration(text)
    except ValueError as error:
        raise UsageError(f"{flag}: {error}") from None
    if not span and not zero:
        raise UsageError(f"{flag} is zero", hint="give at least 1ms")
    return span


def read_backoff(text: str) -> tuple[timedelta, timedelta]:
    """Read `MIN..MAX`.

    Raises:
        UsageError: it is no range of durations.
    """
    least, _, most = text.partition("..")
    try:
        return parse_duration(least), parse_duration(most)
    except ValueError as error:
        raise UsageError(f"--backoff '{text}' is no range: {error}", hint="write it like 1s..10m") from None


def read_keeping(given: Settings, *, spool_memory: str, sse: str, cloudwatch: str | None) -> OutputSettings:
    """Read how output is kept; `cloudwatch` is None when nobody asked for it, and empty for the table's own group.

    Raises:
        UsageError: it cannot be kept like that.
    """
    try:
        spool_bytes = parse_size(spool_memory)
    except ValueError as error:
        raise UsageError(f"--spool-memory: {error}") from None
    if sse and not _ENCRYPTION.fullmatch(sse):
        raise UsageError(f"--sse '{sse}' is no encryption of S3", hint="aws:kms, aws:kms:KEY or AES256")
    if sse and isinstance(given.need_output(), Folder):
        raise UsageError(f"--sse encrypts objects of a bucket, and output goes to {given.output}", hint="leave it out")
    group = given.own_log_group if cloudwatch == "" else cloudwatch or ""
    if group and not _LOG_GROUP.fullmatch(group):
        raise UsageError(
            f"--cloudwatch '{group}' can be no log group", hint="up to 512 letters, digits, '_', '-', '/', '.', '#'"
        )
    return OutputSettings(spool_bytes, sse, group)

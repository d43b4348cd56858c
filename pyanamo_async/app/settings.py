"""Settings: what a caller asks for, validated once.

Only `app` reads them; adapters and the worker take plain values. An error names the argument, as in `lease`.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass, field
from datetime import timedelta

from pyanamo_async.app.locations import (
    FOLDER,
    S3,
    Folder,
    OutputAddress,
    SqliteTable,
    TableAddress,
    default_output,
    parse_output,
    parse_table,
    root_of,
)
from pyanamo_async.app.output_settings import OutputSettings, check_log_group
from pyanamo_async.core.arguments import check_fields, check_type
from pyanamo_async.core.failure_policy import FailurePolicy
from pyanamo_async.core.folders import parse_folders
from pyanamo_async.core.halting import parse_failed_limit
from pyanamo_async.core.memory.budget import USABLE, Auto, parse_budget
from pyanamo_async.core.object_names import RESULTS_DEPTH
from pyanamo_async.core.text.durations import show_duration
from pyanamo_async.core.workers import CREDIBLE
from pyanamo_async.errors import UsageError
from pyanamo_async.host.modes import PRIVATE, usable_umask
from pyanamo_async.host.shell import shell_words
from pyanamo_async.outputs.keys import OUTPUT_DEPTH

DEFAULT_TABLE = "sqlite:pyanamo.db"
DEFAULT_KEY = "PyAnamo"
DEFAULT_UMASK = PRIVATE
DEFAULT_MEMORY = f"{USABLE:.0%}"
HEARTBEATS_PER_LEASE = 3
MAX_AT_ONCE = 100_000


@dataclass(frozen=True, slots=True)
class WorkerSettings:
    """How a worker runs.

    How much at once: `items` (None: the CPUs that this process may use), and `nests` tasks of one nested item, as far
    as they have room in `memory`: bytes, text like `12G`, or a share like `90%` of what this process may use. With
    `items` "auto", the first few get a quarter of that each, until it is known what they need.

    How long: `wall_time` for the worker, `timeout` for each task, None for no limit. Nothing starts with less than
    `min_remaining` of the wall time left. `wait` keeps the worker looking for new work when none is left, and
    `idle_exit` ends it after so long without any. It waits a random part of `stagger` before its first claim, so that
    thousands that start at once do not all ask at once.

    With `last_attempts` it also takes, and first, items that lost their machines as often as the table's setting says
    (`Table.leave_last_attempts`), and it stays until no other worker holds an item that may come to that.

    Failures: `policy`. With `exit_zero` the exit status is 0 although items failed.

    Halting: after `halt_after` failures in a row this worker claims nothing more, and its exit status is 1. With
    `max_failed` items failed in the table, a number or a share like `5%`, all workers are ordered to drain.

    Heartbeats: one every `heartbeat`; after `lease` without one, other workers take the items over. A lease of more
    than a day is refused: other workers would go by their own instead. Each touches `heartbeat_file`, on a local disk.

    Scripts: `shell` runs them, a program or a line like `bash -eu` (None: bash, or else sh). After a script's exit its
    output is read for up to `linger`; when the worker is stopped, running scripts get `grace`. Without
    `task_credentials` nothing in a script's environment leads to the worker's AWS credentials.

    Folders: every task has the `folders` named here, as `checkpoint,results`, beside those that its script names.
    Checkpoints are stored every `checkpoint_every`. With `scratch` each attempt starts in a new folder on the
    fastest disk of this machine, which is removed afterwards.

    Raises:
        UsageError: values are out of range, or contradict each other.
    """

    items: int | Auto | None = None
    nests: int = 1
    memory: str | int = DEFAULT_MEMORY
    wall_time: timedelta | None = None
    last_attempts: bool = False
    wait: bool = False
    idle_exit: timedelta | None = None
    stagger: timedelta = timedelta()
    shell: str | None = None
    exit_zero: bool = False
    timeout: timedelta | None = None
    policy: FailurePolicy = field(default_factory=FailurePolicy)
    heartbeat: timedelta = timedelta(seconds=20)
    lease: timedelta = timedelta(seconds=180)
    grace: timedelta = timedelta(seconds=20)
    min_remaining: timedelta = timedelta()
    linger: timedelta = timedelta(seconds=2)
    task_credentials: bool = True
    halt_after: int | None = None
    max_failed: str | None = None
    folders: str = ""
    scratch: bool = False
    heartbeat_file: str | None = None
    checkpoint_every: timedelta = timedelta(minutes=10)

    def __post_init__(self) -> None:
        """Check that the values are of their types, and make sense together."""
        check_fields(self)
        self.memory_budget(None)
        for name in ("items", "nests"):
            many = getattr(self, name)
            if isinstance(many, int) and not 1 <= many <= MAX_AT_ONCE:
                raise UsageError(f"`{name}` is {many}", hint=f"give 1 to {MAX_AT_ONCE:,}")
        if self.halt_after is not None and self.halt_after < 1:
            raise UsageError(f"`halt_after` is {self.halt_after}", hint="give at least 1, or leave it out")
        if self.max_failed is not None:
            parse_failed_limit(self.max_failed)
        try:
            parse_folders(self.folders)
        except ValueError as error:
            raise UsageError(f"`folders`: {error}", hint="separate them by commas") from None
        for name in ("wall_time", "idle_exit", "timeout", "heartbeat", "lease", "checkpoint_every"):
            if (span := getattr(self, name)) is not None and span <= timedelta():
                raise UsageError(f"`{name}` is zero", hint="give at least 1ms")
        if self.lease < HEARTBEATS_PER_LEASE * self.heartbeat:
            raise UsageError(
                f"`lease` {show_duration(self.lease)} is shorter than three times `heartbeat`,"
                f" which is {show_duration(self.heartbeat)}",
                hint="one lost heartbeat must not cost a worker its items; lengthen one or shorten the other",
            )
        if self.lease > CREDIBLE[1]:
            raise UsageError(
                f"`lease` {show_duration(self.lease)} is too long",
                hint=f"give at most {show_duration(CREDIBLE[1])}; other workers take no longer one seriously",
            )
        if self.shell is not None and shutil.which(program := shell_words(self.shell)[0]) is None:
            raise UsageError(f"`shell` {program} is no program", hint="give its path, as /bin/bash")
        if self.policy.backoff_min > self.policy.backoff_max:
            raise UsageError("`backoff_min` is above `backoff_max`", hint="the default is 1s to 10m")
        if self.wall_time is not None and self.min_remaining >= self.wall_time:
            raise UsageError(
                f"`min_remaining` {show_duration(self.min_remaining)} leaves nothing of the wall time",
                hint="nothing would ever start; lower it, or raise `wall_time`",
            )

    def memory_budget(self, usable_bytes: int | None) -> int | None:
        """Return the bytes that scripts may use of what this process may; None when that is unknown and no size given.

        Raises:
            UsageError: `memory` is neither a size nor a share.
        """
        return parse_budget(self.memory, usable_bytes)


@dataclass(frozen=True, slots=True)
class Settings:
    """Where the table is, where output goes, and how a worker runs.

    `output` is None for a DynamoDB table without a bucket; `output_given` says that somebody named it. `umask` is what
    new files and folders do not permit.
    """

    table: TableAddress
    output: OutputAddress | None
    output_given: bool = False
    region: str | None = None
    umask: int = DEFAULT_UMASK
    running: WorkerSettings = field(default_factory=lambda: WorkerSettings(items=1))
    storing: OutputSettings = field(default_factory=OutputSettings)

    def __post_init__(self) -> None:
        """Check how output is stored against where."""
        if self.storing.sse and isinstance(self.need_output(), Folder):
            raise UsageError(
                f"`sse` encrypts objects in a bucket, but output goes to {self.output}", hint="leave `sse` out"
            )
        if self.storing.cloudwatch == "":
            check_log_group(self.own_log_group)

    @property
    def own_log_group(self) -> str:
        """Return the table's own group in CloudWatch Logs, named after it: a SQLite file without folder and suffix."""
        name = self.table.path.stem if isinstance(self.table, SqliteTable) else str(self.table).rstrip(":")
        return f"/PyAnamo/{name}"

    @property
    def log_group(self) -> str:
        """Return the group in CloudWatch Logs that output goes to; empty for none."""
        return self.own_log_group if self.storing.cloudwatch == "" else self.storing.cloudwatch or ""

    def places(self, location: str) -> list[str]:
        """Return where an output, or a folder of results, that was stored at a location may be now, likeliest first.

        Output may have been moved since: to where the caller says that output is, who knows that best, or with a SQLite
        file to another folder.
        """
        output, names = self.output, location.split("/")
        depth = RESULTS_DEPTH if location.endswith("/") else OUTPUT_DEPTH
        inside = "/".join(names[-depth:])
        if output is None or not location.startswith((FOLDER, S3)) or len(names) <= depth:
            return [location]
        own = f"{root_of(output)}/{inside}"
        return list(dict.fromkeys([own, location] if self.output_given else [location, own]))

    def need_output(self) -> OutputAddress:
        """Return where output goes.

        Raises:
            UsageError: no bucket was given.
        """
        if self.output is None:
            raise UsageError(
                f"there is no bucket for the output of table {self.table}",
                hint="give `bucket`: its name, s3://bucket/prefix or file:DIR",
            )
        return self.output


def make_settings(
    *,
    table: str = DEFAULT_TABLE,
    bucket: str | None = None,
    bucket_key: str = DEFAULT_KEY,
    region: str | None = None,
    umask: int | None = DEFAULT_UMASK,
) -> Settings:
    """Make settings of addresses as people write them.

    Raises:
        UsageError: an address is invalid.
    """
    check_type("table", table, str)
    check_type("bucket", bucket, str | None)
    check_type("bucket_key", bucket_key, str)
    check_type("region", region, str | None)
    check_type("umask", umask, int | None)
    address = parse_table(table)
    return Settings(
        table=address,
        output=parse_output(bucket, key=bucket_key) if bucket else default_output(address, key=bucket_key),
        output_given=bool(bucket),
        region=region or None,
        umask=usable_umask(umask),
    )

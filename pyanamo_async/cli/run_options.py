"""The options of `pyanamo run`, idea by idea; their defaults are those of `WorkerSettings` and `FailurePolicy`."""

from __future__ import annotations

from datetime import timedelta
from itertools import pairwise
from typing import Annotated, Any

import typer
from typer.core import TyperCommand

from pyanamo_async.cli.flags import Range, duration, duration_range, size

MAX_AT_ONCE = 100_000
CLOUDWATCH = "--cloudwatch"


def _duration(*flags: str, help: str, envvar: str | None = None) -> Any:  # noqa: A002, ANN401 - as typer has them
    return typer.Option(*flags, metavar="DURATION", parser=duration, help=help, envvar=envvar)


# How much at once

Items = Annotated[
    int | None,
    typer.Option(
        "-i",
        "--items",
        envvar="PYANAMO_ITEMS",
        metavar="N",
        min=1,
        max=MAX_AT_ONCE,
        help="Items at a time. [default: CPUs this process may use]",
        show_default=False,
    ),
]
Nests = Annotated[
    int,
    typer.Option(
        "-n",
        "--nests",
        envvar="PYANAMO_NESTS",
        metavar="N",
        min=1,
        max=MAX_AT_ONCE,
        help="Tasks at a time within one nested item.",
    ),
]

# How long

WallTime = Annotated[
    timedelta | None,
    _duration(
        "-w",
        "--wall-time",
        envvar="PYANAMO_WALL_TIME",
        help="How long this worker may run: seconds, or like 90m, 48h, 1h30m.",
    ),
]
MinRemaining = Annotated[
    timedelta, _duration("--min-remaining", help="Wall time that must be left for anything to start.")
]
Timeout = Annotated[timedelta | None, _duration("--timeout", help="How long each task may take.")]
Wait = Annotated[bool, typer.Option("--wait", help="Keep looking for new work when none is left.")]
IdleExit = Annotated[
    timedelta | None, _duration("--idle-exit", help="Like --wait, but end after so long without work.")
]

# Failures

MaxFailures = Annotated[
    int, typer.Option("--max-failures", metavar="N", min=1, help="Failures of a task before its item fails.")
]
Backoff = Annotated[
    Range,
    typer.Option(
        "--backoff", metavar="MIN..MAX", parser=duration_range, help="Pauses before a failed item is tried again."
    ),
]
CrashLimit = Annotated[
    int,
    typer.Option("--crash-limit", metavar="N", min=1, help="How many workers may vanish with an item before it fails."),
]
OnExit = Annotated[
    str,
    typer.Option(
        "--on-exit", metavar="RULES", help="What exit statuses mean, as 75=retry,2=fail,SIGKILL=retry,timeout=fail."
    ),
]
ExitZero = Annotated[bool, typer.Option("--exit-zero", help="Exit with 0, not 3, when items failed.")]

# The fleet

Heartbeat = Annotated[timedelta, _duration("--heartbeat", help="Time between heartbeats.")]
Lease = Annotated[timedelta, _duration("--lease", help="Silence after which others take over; 3 heartbeats to 1 day.")]

# Scripts

Shell = Annotated[
    str | None,
    typer.Option(
        "--shell",
        metavar="COMMAND",
        help="What runs scripts, with -c; as 'bash -euo pipefail'. [default: bash, else sh]",
        show_default=False,
    ),
]
Grace = Annotated[timedelta, _duration("--grace", help="Time that running scripts get when the worker is stopped.")]
Linger = Annotated[timedelta, _duration("--linger", help="Time to read output after a script's own exit.")]
NoTaskCredentials = Annotated[
    bool,
    typer.Option(
        "--no-task-credentials", help="Nothing in a script's environment leads to this worker's AWS credentials."
    ),
]

# Output

SpoolMemory = Annotated[
    int,
    typer.Option(
        "--spool-memory",
        metavar="SIZE",
        parser=size,
        help="Memory of this worker for output under way; more goes to TMPDIR.",
    ),
]
MaxOutput = Annotated[
    int | None,
    typer.Option(
        "--max-output",
        metavar="SIZE",
        parser=size,
        help="How much of each stream of a task is stored; more is cut and counted. [default: all]",
        show_default=False,
    ),
]
Sse = Annotated[
    str,
    typer.Option(
        "--sse", metavar="HOW", help="Encrypt output in the bucket: aws:kms[:KEY], aws:kms:dsse[:KEY] or AES256."
    ),
]
CloudWatch = Annotated[
    str | None,
    typer.Option(
        CLOUDWATCH,
        metavar="[GROUP]",
        help="Output from 2 KB to 10 MB goes to CloudWatch Logs, to /PyAnamo/TABLE unless a group is named.",
    ),
]

QuietOption = Annotated[bool, typer.Option("-q", "--quiet", help="Print errors only.")]
CloudWatchRetention = Annotated[
    timedelta | None,
    _duration("--cloudwatch-retention", help="How long a new log group keeps events, as 30d. [default: for ever]"),
]


class RunCommand(TyperCommand):
    """Lets `--cloudwatch` stand alone, as people type it: without a value it has an empty one."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:  # noqa: ANN401 - the type is private to typer
        """Parse the command line."""
        followed = pairwise([*args, "-"])
        return super().parse_args(
            ctx, [f"{CLOUDWATCH}=" if arg == CLOUDWATCH and after.startswith("-") else arg for arg, after in followed]
        )

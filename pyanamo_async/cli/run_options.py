"""The flags of `pyanamo run`, by the names of the settings that they give; those have the types and the defaults."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

import typer
from typer.core import TyperOption

from pyanamo_async import FailurePolicy, OutputSettings, WorkerSettings, parse_on_exit
from pyanamo_async.cli.flags import Range, duration, duration_range, items, size, standing_alone
from pyanamo_async.cli.options import settings

MAX_AT_ONCE = 100_000


def _duration(*flags: str, help: str, envvar: str | None = None) -> Any:  # noqa: A002, ANN401 - as typer has them
    return typer.Option(*flags, metavar="DURATION", parser=duration, help=help, envvar=envvar)


def _count(*flags: str, help: str, envvar: str, **options: Any) -> Any:  # noqa: A002, ANN401 - as typer has them
    return typer.Option(*flags, metavar="N", min=1, max=MAX_AT_ONCE, help=help, envvar=envvar, **options)


worker_settings = settings(
    WorkerSettings,
    {
        "items": typer.Option(
            "-i",
            "--items",
            metavar="N|auto",
            parser=items,
            envvar="PYANAMO_ITEMS",
            help="Items at a time; auto is as many as CPUs and memory allow. [default: CPUs this process may use]",
            show_default=False,
        ),
        "memory": typer.Option(
            "--memory",
            metavar="SIZE|SHARE",
            parser=str,
            envvar="PYANAMO_MEMORY",
            help="Memory of all scripts together: like 12G, or 90% of what this process may use.",
        ),
        "nests": _count("-n", "--nests", envvar="PYANAMO_NESTS", help="Tasks at a time within one nested item."),
        "wall_time": _duration(
            "-w",
            "--wall-time",
            envvar="PYANAMO_WALL_TIME",
            help="How long this worker may run: in seconds, or as 90m, 48h or 1h30m.",
        ),
        "min_remaining": _duration("--min-remaining", help="How much wall time must be left for an item to start."),
        "timeout": _duration("--timeout", help="How long each task may take."),
        "last_attempts": typer.Option(
            "--last-attempts",
            envvar="PYANAMO_LAST_ATTEMPTS",
            help="Take items that lost their machines too often, and these first; for machines that nobody takes away.",
        ),
        "wait": typer.Option("--wait", help="Keep looking for new work when none is left."),
        "idle_exit": _duration("--idle-exit", help="Like --wait, but exit after so long without work."),
        "stagger": _duration(
            "--stagger",
            envvar="PYANAMO_STAGGER",
            help="Wait a random part of this before the first claim, so that many workers do not start at once.",
        ),
        "exit_zero": typer.Option("--exit-zero", help="Exit with 0, not 3, when items that this worker ran failed."),
        "heartbeat": _duration("--heartbeat", help="Time between heartbeats."),
        "heartbeat_file": typer.Option(
            "--heartbeat-file",
            metavar="FILE",
            envvar="PYANAMO_HEARTBEAT_FILE",
            help="Touch this file with each heartbeat, for probes that run `pyanamo alive`.",
        ),
        "lease": _duration(
            "--lease", help="Time without a heartbeat after which others take over; 3 heartbeats to 1 day."
        ),
        "shell": typer.Option(
            "--shell",
            metavar="COMMAND",
            help="The shell that runs scripts, with -c; as 'bash -euo pipefail'. [default: bash, else sh]",
            show_default=False,
        ),
        "grace": _duration("--grace", help="Time that running scripts get when the worker is stopped."),
        "halt_after": _count(
            "--halt-after",
            envvar="PYANAMO_HALT_AFTER",
            help="Failures in a row, without a success, after which this worker drains and exits with 1.",
        ),
        "max_failed": typer.Option(
            "--max-failed",
            metavar="N|N%",
            envvar="PYANAMO_MAX_FAILED",
            help="All workers drain when so many items of the table have failed: a number, or a share like 5%.",
        ),
        "folders": typer.Option(
            "--folders",
            metavar="LIST",
            envvar="PYANAMO_FOLDERS",
            help="Folders for every task, besides those that its script names: checkpoint, results, scratch.",
        ),
        "checkpoint_every": _duration(
            "--checkpoint-every",
            envvar="PYANAMO_CHECKPOINT_EVERY",
            help="How often files in PYANAMO_CHECKPOINT are stored: no more time than that is lost with a machine.",
        ),
        "scratch": typer.Option(
            "--scratch",
            envvar="PYANAMO_SCRATCH",
            help="Start each attempt in a new folder on the fastest disk, with TMPDIR in it, and remove it afterwards.",
        ),
        "linger": _duration("--linger", help="How long output is read after the script itself has exited."),
    },
)

output_settings = settings(
    OutputSettings,
    {
        "spool_bytes": typer.Option(
            "--spool-memory",
            metavar="SIZE",
            parser=size,
            help="Memory for output that is not stored yet; more goes to TMPDIR. [default: 64MiB]",
            show_default=False,
        ),
        "max_output_bytes": typer.Option(
            "--max-output",
            metavar="SIZE",
            parser=size,
            help="How much of each stream of a task is stored; the rest is counted and dropped. [default: all]",
            show_default=False,
        ),
        "sse": typer.Option(
            "--sse", metavar="HOW", help="Encrypt output in the bucket: aws:kms[:KEY], aws:kms:dsse[:KEY] or AES256."
        ),
        "cloudwatch": typer.Option(
            "--cloudwatch",
            metavar="[GROUP]",
            help="Store output from 2 KB to 10 MB in CloudWatch Logs, in /PyAnamo/TABLE unless a group is named.",
        ),
        "cloudwatch_retention": _duration(
            "--cloudwatch-retention", help="How long a new log group keeps events, as 30d. [default: for ever]"
        ),
    },
)


def failure_policy(
    *,
    max_failures: Annotated[
        int, typer.Option("--max-failures", metavar="N", min=1, help="Failures of a task before its item fails.")
    ] = FailurePolicy().max_failures,
    backoff: Annotated[
        Range,
        typer.Option(
            "--backoff", metavar="MIN..MAX", parser=duration_range, help="Pauses before a failed item is tried again."
        ),
    ] = "1s..10m",  # type: ignore[assignment]  # parsed as any other text
    crash_limit: Annotated[
        int,
        typer.Option(
            "--crash-limit", metavar="N", min=1, help="How many workers may vanish with an item before it fails."
        ),
    ] = FailurePolicy().crash_limit,
    oom_limit: Annotated[
        int,
        typer.Option(
            "--oom-limit",
            metavar="N",
            min=1,
            envvar="PYANAMO_OOM_LIMIT",
            help="How often an item may run out of memory before it fails.",
        ),
    ] = FailurePolicy().oom_limit,
    on_exit: Annotated[
        str,
        typer.Option(
            "--on-exit", metavar="RULES", help="What exit statuses mean, as 75=retry,2=fail,SIGKILL=retry,timeout=fail."
        ),
    ] = "",
    fail_on_tag: Annotated[
        str,
        typer.Option(
            "--fail-on-tag",
            metavar="REGEX",
            help="A task with a matching 'PyAnamo:' line fails, even with exit status 0; the line is the reason.",
        ),
    ] = "",
) -> FailurePolicy:
    """Return the failure policy that flags describe."""
    return FailurePolicy(
        max_failures=max_failures,
        crash_limit=crash_limit,
        oom_limit=oom_limit,
        backoff_min=backoff.min,
        backoff_max=backoff.max,
        on_exit=parse_on_exit(on_exit),
        fail_on_tag=fail_on_tag,
    )


LogGroupMayBeLeftOut: Any = standing_alone("--cloudwatch", without="", takes=lambda word: not word.startswith("-"))


def variable(opts: Sequence[str]) -> str:
    """Return the variable of a flag that has no other: of `--max-failures` it is PYANAMO_MAX_FAILURES."""
    return f"PYANAMO_{max(opts, key=len).strip('-').replace('-', '_').upper()}"


class RunCommand(LogGroupMayBeLeftOut):  # type: ignore[misc] # it is made by a function
    """A command whose flags all have an environment variable, for containers."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - typer's
        super().__init__(*args, **kwargs)
        for each in self.params:
            if isinstance(each, TyperOption) and not each.envvar:
                each.envvar = variable(each.opts)

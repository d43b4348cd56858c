"""`pyanamo run`: the worker's flags."""

from __future__ import annotations

import shutil
import sys
from collections import Counter
from dataclasses import replace
from datetime import timedelta
from itertools import pairwise
from typing import Annotated, Any

import typer
from typer.core import TyperCommand

from pyanamo_async.app import resources
from pyanamo_async.app.settings import (
    SPOOL_MEMORY,
    LoopKind,
    Settings,
    WorkerSettings,
    read_backoff,
    read_duration,
    read_keeping,
)
from pyanamo_async.cli.event_log import listening
from pyanamo_async.cli.options import addressed
from pyanamo_async.cli.run_async import with_store
from pyanamo_async.core.failure_policy import FailurePolicy, parse_on_exit
from pyanamo_async.core.items import State
from pyanamo_async.errors import UsageError
from pyanamo_async.host.cpus import usable_cpus
from pyanamo_async.host.pid1 import fork_from_pid1
from pyanamo_async.ports import Store

MOST = 100_000
CLOUDWATCH = "--cloudwatch"
EPILOG = """\b
Exit status:
  0   nothing is left, and nothing this worker ran ended failed
  3   nothing is left, but items ended failed (0 with --exit-zero)
  75  interrupted, with work left
  2   what was asked for cannot be meant
  1   the worker itself failed
"""


class RunCommand(TyperCommand):
    """Lets `--cloudwatch` stand alone, as people type it: without a value it has an empty one."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:  # noqa: ANN401 - its type is typer's own affair
        """Read the command line."""
        followed = pairwise([*args, "-"])
        return super().parse_args(
            ctx, [f"{CLOUDWATCH}=" if arg == CLOUDWATCH and after.startswith("-") else arg for arg, after in followed]
        )


COMMAND = RunCommand


@addressed
def run(
    given: Settings,
    *,
    items: Annotated[
        int | None,
        typer.Option(
            "-i",
            "--items",
            envvar="PYANAMO_ITEMS",
            metavar="N",
            min=1,
            max=MOST,
            help="Items at a time. [default: CPUs this process may use]",
            show_default=False,
        ),
    ] = None,
    nests: Annotated[
        int,
        typer.Option(
            "-n",
            "--nests",
            envvar="PYANAMO_NESTS",
            metavar="N",
            min=1,
            max=MOST,
            help="Tasks at a time within one nested item.",
        ),
    ] = 1,
    wall_time: Annotated[
        str | None,
        typer.Option(
            "-w",
            "--wall-time",
            envvar="PYANAMO_WALL_TIME",
            metavar="DURATION",
            help="How long this worker may run: seconds, or like 90m, 48h, 1h30m.",
        ),
    ] = None,
    wait: Annotated[bool, typer.Option("--wait", help="Keep polling for new work when there is none.")] = False,
    idle_exit: Annotated[
        str | None,
        typer.Option("--idle-exit", metavar="DURATION", help="Like --wait, but end after so long without work."),
    ] = None,
    shell: Annotated[
        str | None,
        typer.Option(
            "--shell",
            metavar="PATH",
            help="What runs scripts, with -c. [default: bash, else sh; plain commands need none]",
            show_default=False,
        ),
    ] = None,
    exit_zero: Annotated[bool, typer.Option("--exit-zero", help="Exit 0, not 3, when items ended failed.")] = False,
    loop: Annotated[LoopKind, typer.Option("--loop", help="The event loop.")] = LoopKind.FAST,
    timeout: Annotated[
        str | None, typer.Option("--timeout", metavar="DURATION", help="How long each task may take.")
    ] = None,
    max_failures: Annotated[
        int, typer.Option("--max-failures", metavar="N", min=1, help="Failures of a task until its item is failed.")
    ] = 3,
    backoff: Annotated[
        str, typer.Option("--backoff", metavar="MIN..MAX", help="Pauses before a failed item is tried again.")
    ] = "1s..10m",
    crash_limit: Annotated[
        int,
        typer.Option(
            "--crash-limit", metavar="N", min=1, help="Workers that may vanish with an item until it is failed."
        ),
    ] = 5,
    on_exit: Annotated[
        str,
        typer.Option(
            "--on-exit", metavar="RULES", help="What exit statuses mean, as 75=retry,2=fail,SIGKILL=retry,timeout=fail."
        ),
    ] = "",
    heartbeat: Annotated[
        str, typer.Option("--heartbeat", metavar="DURATION", help="Time between signs of life.")
    ] = "20s",
    lease: Annotated[
        str, typer.Option("--lease", metavar="DURATION", help="Silence after which others take over; at least 3 beats.")
    ] = "180s",
    grace: Annotated[
        str,
        typer.Option("--grace", metavar="DURATION", help="Time that running scripts get when the worker is stopped."),
    ] = "20s",
    min_remaining: Annotated[
        str,
        typer.Option("--min-remaining", metavar="DURATION", help="Wall time that must be left for anything to start."),
    ] = "0s",
    linger: Annotated[
        str, typer.Option("--linger", metavar="DURATION", help="Time to read output after a script's own exit.")
    ] = "2s",
    spool_memory: Annotated[
        str,
        typer.Option(
            "--spool-memory", metavar="SIZE", help="Memory of this worker for output on its way; more goes to TMPDIR."
        ),
    ] = SPOOL_MEMORY,
    sse: Annotated[
        str,
        typer.Option("--sse", metavar="HOW", help="Encrypt output in the bucket: aws:kms, aws:kms:KEY or AES256."),
    ] = "",
    cloudwatch: Annotated[
        str | None,
        typer.Option(
            CLOUDWATCH,
            metavar="[GROUP]",
            help="Output from 2 KB to 10 MB goes to CloudWatch Logs, to /PyAnamo/TABLE unless a group is named.",
        ),
    ] = None,
    no_task_credentials: Annotated[
        bool,
        typer.Option(
            "--no-task-credentials", help="Nothing in a script's environment leads to this worker's AWS credentials."
        ),
    ] = False,
) -> None:
    """Run a worker until nothing is left.

    It claims items, runs their scripts and keeps their output. Any number of workers may run on one table. SIGTERM or
    Ctrl-C stops one within --grace and gives its items back; a second one stops it at once.
    """
    fork_from_pid1()
    running = WorkerSettings(
        items=items or usable_cpus(),
        nests=nests,
        wall_time=_maybe(wall_time, "--wall-time (PYANAMO_WALL_TIME)"),
        wait=wait,
        idle_exit=_maybe(idle_exit, "--idle-exit"),
        shell=_usable(shell),
        exit_zero=exit_zero,
        loop=loop,
        timeout=_maybe(timeout, "--timeout"),
        policy=_policy(max_failures, crash_limit, backoff, on_exit),
        heartbeat=read_duration(heartbeat, "--heartbeat"),
        lease=read_duration(lease, "--lease"),
        grace=read_duration(grace, "--grace", zero=True),
        min_remaining=read_duration(min_remaining, "--min-remaining", zero=True),
        linger=read_duration(linger, "--linger", zero=True),
        task_credentials=not no_task_credentials,
    )
    given.need_output()
    keeping = read_keeping(given, spool_memory=spool_memory, sse=sse, cloudwatch=cloudwatch)
    settings = replace(given, running=running, keeping=keeping)
    with listening(_claimable(settings) if sys.stderr.isatty() else None) as event_log:
        status = resources.run_worker(settings, event_log)
    raise typer.Exit(status)


def _claimable(settings: Settings) -> int:
    """Count what there is to run, for the bar."""
    items: Counter[State] = Counter()

    async def count(store: Store) -> None:
        items.update((await store.counts()).items)

    with_store(settings, count)
    return items[State.TODO] + items[State.WALL_TIME_EXCEEDED]


def _maybe(duration: str | None, flag: str) -> timedelta | None:
    return None if duration is None else read_duration(duration, flag)


def _policy(max_failures: int, crash_limit: int, backoff: str, on_exit: str) -> FailurePolicy:
    least, most = read_backoff(backoff)
    return FailurePolicy(
        max_failures=max_failures,
        crash_limit=crash_limit,
        backoff_min=least,
        backoff_max=most,
        on_exit=parse_on_exit(on_exit),
    )


def _usable(shell: str | None) -> str | None:
    if shell is not None and shutil.which(shell) is None:
        raise UsageError(f"--shell {shell} is no program", hint="give its path, as /bin/bash")
    return shell

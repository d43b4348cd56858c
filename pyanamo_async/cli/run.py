"""`pyanamo run`: a worker."""

from __future__ import annotations

import os
from contextlib import closing
from datetime import timedelta
from functools import partial
from typing import Any

import typer

from pyanamo_async import FailurePolicy, OutputSettings, RunResult, Table, WorkerSettings, run_on_loop
from pyanamo_async.cli import run_options as option
from pyanamo_async.cli.background_stderr import BackgroundStderr, background_stderr
from pyanamo_async.cli.console import note
from pyanamo_async.cli.event_log import LogLines
from pyanamo_async.cli.main import report
from pyanamo_async.cli.options import on_new_files
from pyanamo_async.cli.run_ending import Failures, Quiet, ending
from pyanamo_async.core.failure_policy import parse_on_exit
from pyanamo_async.core.workers import ends_within
from pyanamo_async.host.pid1 import fork_from_pid1
from pyanamo_async.host.watchdog import Watchdog

CLOSED_WITHIN_S = 10.0
COMMAND = option.RunCommand
EPILOG = """\b
Exit status:
  0   nothing is left, and nothing this worker ran failed
  3   nothing is left, but items failed (0 with --exit-zero)
  75  interrupted, with work left
  2   invalid usage
  1   the worker itself failed
"""


@on_new_files
def run(
    table: Table,
    *,
    items: option.Items = None,
    nests: option.Nests = 1,
    wall_time: option.WallTime = None,
    wait: option.Wait = False,
    idle_exit: option.IdleExit = None,
    shell: option.Shell = None,
    exit_zero: option.ExitZero = False,
    timeout: option.Timeout = None,
    max_failures: option.MaxFailures = 3,
    backoff: option.Backoff = "1s..10m",  # type: ignore[assignment]  # parsed as any other text, like those below
    crash_limit: option.CrashLimit = 5,
    on_exit: option.OnExit = "",
    heartbeat: option.Heartbeat = "20s",  # type: ignore[assignment]
    lease: option.Lease = "180s",  # type: ignore[assignment]
    grace: option.Grace = "20s",  # type: ignore[assignment]
    min_remaining: option.MinRemaining = "0s",  # type: ignore[assignment]
    linger: option.Linger = "2s",  # type: ignore[assignment]
    spool_memory: option.SpoolMemory = "64MiB",  # type: ignore[assignment]
    max_output: option.MaxOutput = None,
    sse: option.Sse = "",
    cloudwatch: option.CloudWatch = None,
    cloudwatch_retention: option.CloudWatchRetention = None,
    no_task_credentials: option.NoTaskCredentials = False,
    quiet: option.QuietOption = False,
) -> None:
    """Run a worker until nothing is left.

    It claims items, runs their scripts and stores their output. Any number of workers may run on one table. SIGTERM or
    Ctrl-C stops one within --grace and puts its items back; a second one stops it at once. SIGUSR1 drains it.
    """
    fork_from_pid1(ends_within_s=ends_within(grace).total_seconds())  # while there is one thread
    at_once: dict[str, Any] = {} if items is None else {"items": items}
    worker = WorkerSettings(
        **at_once,
        nests=nests,
        wall_time=wall_time,
        wait=wait,
        idle_exit=idle_exit,
        shell=shell,
        exit_zero=exit_zero,
        timeout=timeout,
        policy=FailurePolicy(
            max_failures=max_failures,
            crash_limit=crash_limit,
            backoff_min=backoff.min,
            backoff_max=backoff.max,
            on_exit=parse_on_exit(on_exit),
        ),
        heartbeat=heartbeat,
        lease=lease,
        grace=grace,
        min_remaining=min_remaining,
        linger=linger,
        task_credentials=not no_task_credentials,
    )
    output = OutputSettings(
        spool_bytes=spool_memory,
        max_output_bytes=max_output,
        sse=sse,
        cloudwatch=cloudwatch,
        cloudwatch_retention=cloudwatch_retention,
    )
    with closing(Watchdog()) as watchdog, background_stderr() as stderr:
        try:
            result = run_on_loop(_run(table, worker, output, watchdog, stderr=stderr, quiet=quiet))
        except Exception as error:  # noqa: BLE001 - as in `main`: whatever it is, it becomes one line
            raise typer.Exit(report(error)) from None
    raise typer.Exit(result.exit_status)


async def _run(
    table: Table,
    worker: WorkerSettings,
    output: OutputSettings,
    watchdog: Watchdog,
    *,
    stderr: BackgroundStderr,
    quiet: bool,
) -> RunResult:
    def on_stop(within: timedelta) -> None:
        watchdog.exit_within(within.total_seconds(), os.EX_TEMPFAIL)

    run_worker = partial(table.run, worker, output, handle_signals=True, on_stop=on_stop)
    failures, counts = None, None
    async with table:
        if quiet:
            log = Quiet()
            result = await run_worker(event_log=log)
            for line in log.errors(table.address):
                note(line)
        elif not stderr.isatty():
            failures = Failures(LogLines(stderr.put))
            result = await run_worker(event_log=failures)
        else:
            from pyanamo_async.cli.run_bar import counting_bar

            async with counting_bar(table, stderr) as bar:
                failures = Failures(bar)
                result = await run_worker(event_log=failures)
            counts = bar.counts
    if failures is not None:
        for line in ending(result, failures.first, counts, address=table.address):
            note(line)
    watchdog.exit_within(CLOSED_WITHIN_S, result.exit_status)  # threads that hang are not waited for
    return result

"""`pyanamo run`: a worker, and the metrics that it reports each minute and at its end.

Metrics for CloudWatch go to stderr, between the lines of the log. A thread writes to stderr, so that a slow reader does
not block the worker, and the log driver of a container collects stdout and stderr.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, closing
from dataclasses import replace
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from pyanamo_async import (
    EventLog,
    FailurePolicy,
    OutputSettings,
    PyanamoError,
    RunResult,
    Table,
    WorkerMetrics,
    WorkerSettings,
    run_on_loop,
)
from pyanamo_async.cli.background_stderr import BackgroundStderr, background_stderr
from pyanamo_async.cli.console import note
from pyanamo_async.cli.event_log import LogLines
from pyanamo_async.cli.flags import name_flags
from pyanamo_async.cli.main import report
from pyanamo_async.cli.options import on_new_files, takes
from pyanamo_async.cli.run_ending import Failures, Quiet, ending, free_counts, trouble
from pyanamo_async.cli.run_options import RunCommand, failure_policy, output_settings, worker_settings
from pyanamo_async.cli.written_file import no_stdout
from pyanamo_async.core.workers import ends_within
from pyanamo_async.host.pid1 import fork_from_pid1
from pyanamo_async.host.watchdog import Watchdog

CLOSED_WITHIN_S = 10.0
COMMAND = RunCommand
EPILOG = """\b
Exit status:
  0   nothing is left, and nothing that this worker ran ended failed
  3   nothing is left, but items that it ran ended failed (0 with --exit-zero)
  4   only items are left that no living worker takes: they need more memory,
      or a worker with --last-attempts
  75  interrupted, with work left
  2   invalid usage
  1   the worker itself failed, or too much fails; the last line on stderr says why
  (`pyanamo wait` has the status of the whole table, whoever ran what)
"""
EVERY_S = 60.0  # as often as CloudWatch keeps metrics of normal resolution, and Prometheus usually scrapes


@on_new_files
@takes("worker", worker_settings)
@takes("policy", failure_policy)
@takes("output", output_settings)
def run(
    table: Table,
    *,
    worker: WorkerSettings,
    policy: FailurePolicy,
    output: OutputSettings,
    no_task_credentials: Annotated[
        bool,
        typer.Option(
            "--no-task-credentials",
            help="Keep what leads to this worker's AWS credentials out of the environment of scripts.",
        ),
    ] = False,
    quiet: Annotated[bool, typer.Option("-q", "--quiet", help="Print errors only.")] = False,
    prometheus: Annotated[
        Path | None,
        typer.Option(
            "--prometheus",
            metavar="FILE",
            parser=no_stdout,
            envvar="PYANAMO_PROMETHEUS",
            help="Write this worker's metrics to this file each minute, for the textfile collector of node_exporter.",
        ),
    ] = None,
    emf: Annotated[
        bool,
        typer.Option(
            "--emf", envvar="PYANAMO_EMF", help="Write metrics into the log, as lines from which CloudWatch takes them."
        ),
    ] = False,
) -> None:
    """Run a worker until nothing is left.

    It claims items, runs their scripts and stores their output. Any number of workers may run on one table. SIGTERM or
    Ctrl-C stops a worker within --grace and puts its items back; a second signal stops it at once. SIGUSR1 drains it:
    it finishes what it runs, and claims nothing more.
    """
    fork_from_pid1(ends_within_s=ends_within(worker.grace).total_seconds())  # while there is one thread
    worker = replace(worker, policy=policy, task_credentials=not no_task_credentials)
    with closing(Watchdog()) as watchdog, background_stderr() as stderr:
        metrics = partial(told_metrics, table=table.address, prometheus=prometheus, emf=stderr.put if emf else None)
        try:
            result = run_on_loop(_run(table, worker, output, watchdog, stderr=stderr, quiet=quiet, metrics=metrics))
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
    metrics: Callable[[EventLog], AbstractAsyncContextManager[EventLog]],
) -> RunResult:
    def on_stop(within: timedelta) -> None:
        watchdog.exit_within(within.total_seconds(), os.EX_TEMPFAIL)

    run_worker = partial(table.run, worker, output, handle_signals=True, on_stop=on_stop)
    failures, counts = None, None  # None: not to be told, not known
    async with table:
        if quiet:
            log = Quiet()
            async with metrics(log) as counting:
                result = await run_worker(event_log=counting)
            for line in log.errors(table.address):
                note(line)
        elif not stderr.isatty():
            failures = Failures(LogLines(stderr.put))
            async with metrics(failures) as counting:
                result = await run_worker(event_log=counting)
            counts = await free_counts(table)
        else:
            from pyanamo_async.cli.run_bar import counting_bar

            async with counting_bar(table, stderr) as bar:
                failures = Failures(bar)
                async with metrics(failures) as counting:
                    result = await run_worker(event_log=counting)
            counts = bar.counts
    if failures is not None:
        for line in ending(result, failures.first, counts, address=table.address):
            note(line)
    for line in trouble(result, address=table.address):
        note(line)
    watchdog.exit_within(CLOSED_WITHIN_S, result.exit_status)  # threads that hang are not waited for
    return result


@asynccontextmanager
async def told_metrics(
    log: EventLog,
    table: str,
    *,
    emf: Callable[[str], None] | None,
    prometheus: Path | None,
    every_s: float = EVERY_S,
) -> AsyncIterator[EventLog]:
    """Yield an event log that counts; write its counts every minute and at the end, to `emf` and `prometheus`."""
    if emf is None and prometheus is None:
        yield log
        return
    metrics = WorkerMetrics(log, table)
    if prometheus is not None:
        await asyncio.to_thread(metrics.write, prometheus)  # a file that cannot be written is invalid usage
    telling = asyncio.create_task(_tell_on(metrics, emf, prometheus, every_s), name="metrics")
    try:
        yield metrics
    finally:
        telling.cancel()
        await asyncio.wait([telling])
        await _tell(metrics, emf, prometheus)


async def _tell_on(
    metrics: WorkerMetrics, emf: Callable[[str], None] | None, prometheus: Path | None, every_s: float
) -> None:
    while True:
        await asyncio.sleep(every_s)
        await _tell(metrics, emf, prometheus)


async def _tell(metrics: WorkerMetrics, emf: Callable[[str], None] | None, prometheus: Path | None) -> None:
    if emf is not None:
        emf(f"{metrics.emf()}\n")
    if prometheus is not None:
        try:
            await asyncio.to_thread(metrics.write, prometheus)
        except PyanamoError as error:  # a fault of monitoring must not end a worker
            note(f"pyanamo: {name_flags(str(error))}")

"""Put a worker together from its parts and run it: the half of the composition root that is about running.

`app` imports it only for `pyanamo run`.
"""

from __future__ import annotations

import asyncio
import os
import random
import signal
import socket
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import timedelta
from functools import partial
from pathlib import Path

from pyanamo_async.app.locations import DynamoTable, SqliteTable, TableAddress
from pyanamo_async.app.settings import Settings, WorkerSettings
from pyanamo_async.aws.credentials import without_credentials
from pyanamo_async.aws.identity import Identity, identify
from pyanamo_async.aws.spot import interruption, metadata_endpoint
from pyanamo_async.core.items import State
from pyanamo_async.core.wall_time import WallTimeBudget, reserve_s
from pyanamo_async.core.workers import Worker
from pyanamo_async.execution import Guard, ShellLauncher, scripts_at_once
from pyanamo_async.fleet.idle_policy import IdlePolicy
from pyanamo_async.fleet.peers import PeerMonitor
from pyanamo_async.host.clock import SystemClock
from pyanamo_async.host.liveness import WORKER_VARIABLE, own_mark, process_status
from pyanamo_async.ports import EventLog, OutputStore, Store
from pyanamo_async.worker.attempt import Tools
from pyanamo_async.worker.heartbeats import Heartbeats
from pyanamo_async.worker.patience import Patience
from pyanamo_async.worker.pilot import Pilot, Plan, RunSummary
from pyanamo_async.worker.script import KillPolicy
from pyanamo_async.worker.stop import Stop

START_PATIENCE_S = 15.0
ENDINGS = {each: str(each) for each in (State.DONE, State.FAILED, State.WALL_TIME_EXCEEDED)} | {State.TODO: "put_back"}
DRAINED, OUR_FAILURE, SOME_FAILED, WORK_LEFT = 0, 1, 3, 75  # 75 is EX_TEMPFAIL of sysexits.h: try again


def who() -> Identity:
    """Name the worker that starts now."""
    return identify(os.environ, host=socket.gethostname(), nonce=os.urandom(4).hex())


async def work(settings: Settings, me: Identity, *, store: Store, outputs: OutputStore, event_log: EventLog) -> int:
    """Run a worker until it is done or told to stop; return the exit status that says how it was."""
    stop = Stop()
    with _signals(stop):
        return await work_until(stop, settings, me, store=store, outputs=outputs, event_log=event_log)


async def work_until(
    stop: Stop, settings: Settings, me: Identity, *, store: Store, outputs: OutputStore, event_log: EventLog
) -> int:
    """Run a worker as `work` does, while signals are the caller's."""
    settings = replace(settings, running=_within_limits(settings.running, event_log))
    with closing(Guard(f"{WORKER_VARIABLE}={me.worker_id}")) as guard:
        output_namespace = await _usable(store, outputs, event_log, stop)
        pilot = _pilot(
            settings, me, output_namespace, store=store, outputs=outputs, guard=guard, event_log=event_log, stop=stop
        )
        tally = await pilot.run()
    ended = {called: count for state, called in ENDINGS.items() if (count := tally.settled[state])}
    event_log.note("worker ended", stopped=tally.stopped, **ended)
    return _status(tally, exit_zero=settings.running.exit_zero)


async def _usable(store: Store, outputs: OutputStore, event_log: EventLog, stop: Stop) -> str:
    """Find out whether there is a table and a place for output, with some patience: thousands may start at once.

    Returns the name that output is filed under.
    """
    patience = Patience(clock=SystemClock(), rng=random.Random(), event_log=event_log)  # noqa: S311
    limit = asyncio.get_running_loop().call_later(START_PATIENCE_S, stop.drain.set)
    try:
        table = await patience.call(store.describe, given_up=stop.drain)  # first: that it is missing is what to say
        await patience.call(outputs.check, given_up=stop.drain)
    finally:
        limit.cancel()
    return table.output_namespace


def _within_limits(how: WorkerSettings, event_log: EventLog) -> WorkerSettings:
    """Take no more at a time than this process may open files for: it would claim and put back again and again."""
    nests = min(how.nests, scripts_at_once())
    items = min(how.items, scripts_at_once() // nests)
    if (items, nests) != (how.items, how.nests):
        event_log.note("fewer at a time", items=items, nests=nests, reason="open files are limited. hint: ulimit -n")
    return replace(how, items=items, nests=nests)


def _status(tally: RunSummary, *, exit_zero: bool) -> int:
    if tally.errors:
        return OUR_FAILURE
    if tally.work_left:
        return WORK_LEFT
    return SOME_FAILED if tally.settled[State.FAILED] and not exit_zero else DRAINED


def _pilot(
    settings: Settings,
    me: Identity,
    output_namespace: str,
    *,
    store: Store,
    outputs: OutputStore,
    guard: Guard,
    event_log: EventLog,
    stop: Stop,
) -> Pilot:
    how, clock, rng = settings.running, SystemClock(), random.Random()  # noqa: S311 - scatters, keeps no secret
    began = clock.monotonic()
    now = clock.now()
    row = Worker(me.worker_id, me.host, now, now, how.lease, job=me.job, process=own_mark(), slots=how.items)
    kill_policy = KillPolicy(linger=how.linger)
    budget_s = how.wall_time.total_seconds() if how.wall_time else None
    reserve = reserve_s(budget_s, kill_after_s=kill_policy.kill_after.total_seconds())
    pays_per_read = isinstance(settings.table, DynamoTable)
    others = PeerMonitor(
        me.worker_id, store, clock, rng, how.heartbeat, how.lease, how.policy, process_status, pays_per_read
    )
    tools = Tools(
        table=output_namespace,
        address=_everywhere(settings.table),
        worker=me.worker_id,
        store=store,
        outputs=outputs,
        launcher=ShellLauncher(how.shell, guard=guard),
        clock=clock,
        rng=rng,
        event_log=event_log,
        patience=Patience(clock=clock, rng=rng, event_log=event_log),
        keeper=WallTimeBudget(budget_s, reserve, how.min_remaining.total_seconds()),
        policy=how.policy,
        kill_policy=kill_policy,
        environ={**_environment(how), WORKER_VARIABLE: me.worker_id},
        nests=how.nests,
        timeout=how.timeout,
        elapsed_s=lambda: clock.monotonic() - began,
    )
    event_log.note("worker started", worker=me.worker_id, table=str(settings.table), items=how.items, nests=how.nests)
    return Pilot(
        Plan(how.items, how.grace, IdlePolicy(how.wait, how.idle_exit, _sure_after(settings.table))),
        tools,
        Heartbeats(row, every=how.heartbeat, store=store, clock=clock, event_log=event_log, stop=stop),
        stop,
        reclaim=others.look_after,
        fleet_state=others.fleet_state,
        every=how.heartbeat,
        rss_bytes=_rss_bytes,
        notice=partial(interruption, endpoint) if (endpoint := metadata_endpoint(os.environ)) else None,
    )


def _everywhere(table: TableAddress) -> str:
    """Write an address so that it means the same in whatever folder a script goes to."""
    return str(SqliteTable(table.path.absolute()) if isinstance(table, SqliteTable) else table)


def _environment(how: WorkerSettings) -> Mapping[str, str]:
    environ = os.environ if how.task_credentials else without_credentials(os.environ)
    return environ if _is_here(environ.get("PWD", "")) else {**environ, "PWD": str(Path.cwd())}  # as a shell has it


def _is_here(folder: str) -> bool:
    return Path(folder).is_absolute() and Path(folder).is_dir() and Path(folder).samefile(".")


def _sure_after(table: TableAddress) -> timedelta:
    """Tell how long a table must have seemed empty to be believed: an index of DynamoDB lags by milliseconds.

    There is no way to know sooner: an index is never read consistently, and others do not tell what they put back.
    """
    return timedelta(seconds=1) if isinstance(table, DynamoTable) else timedelta()


@contextmanager
def _signals(stop: Stop) -> Iterator[None]:
    loop = asyncio.get_running_loop()
    wanted = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
    numbers = [each for each in wanted if signal.getsignal(each) is not signal.SIG_IGN]  # nohup means what it says
    for number in numbers:
        loop.add_signal_handler(number, stop.signalled, number.name)
    try:
        yield
    finally:
        for number in numbers:
            loop.remove_signal_handler(number)


def _rss_bytes() -> int:
    try:
        pages = Path("/proc/self/statm").read_text().split()[1]
    except OSError:  # not Linux
        return 0
    return int(pages) * os.sysconf("SC_PAGE_SIZE")

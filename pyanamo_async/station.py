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

from pyanamo_async.addresses import DynamoTable, SqliteTable, TableAddress
from pyanamo_async.aws.credentials import without_credentials
from pyanamo_async.aws.spot import interruption, metadata_endpoint
from pyanamo_async.aws.whoami import Identity, identify
from pyanamo_async.clock import SystemClock
from pyanamo_async.core.items import State
from pyanamo_async.core.walltime import TimeKeeper, reserve_s
from pyanamo_async.core.workers import Worker
from pyanamo_async.execution import Guard, ShellLauncher, scripts_at_once
from pyanamo_async.operate.others import Others
from pyanamo_async.ports import Journal, OutputStore, Store
from pyanamo_async.process_mark import WORKER_VARIABLE, fate, own_mark
from pyanamo_async.settings import Running, Settings
from pyanamo_async.worker.attempt import Tools
from pyanamo_async.worker.beats import Beats
from pyanamo_async.worker.patience import Patience
from pyanamo_async.worker.persistence import Persistence
from pyanamo_async.worker.pilot import Pilot, Plan, Tally
from pyanamo_async.worker.script import Manners
from pyanamo_async.worker.stop import Stop

START_PATIENCE_S = 15.0
ENDINGS = {each: str(each) for each in (State.DONE, State.FAILED, State.WALL_TIME_EXCEEDED)} | {State.TODO: "put_back"}
DRAINED, OUR_FAILURE, SOME_FAILED, WORK_LEFT = 0, 1, 3, 75  # 75 is EX_TEMPFAIL of sysexits.h: try again


def who() -> Identity:
    """Name the worker that starts now."""
    return identify(os.environ, host=socket.gethostname(), nonce=os.urandom(4).hex())


async def work(settings: Settings, me: Identity, *, store: Store, outputs: OutputStore, journal: Journal) -> int:
    """Run a worker until it is done or told to stop; return the exit status that says how it was."""
    stop = Stop()
    with _signals(stop):
        return await work_until(stop, settings, me, store=store, outputs=outputs, journal=journal)


async def work_until(
    stop: Stop, settings: Settings, me: Identity, *, store: Store, outputs: OutputStore, journal: Journal
) -> int:
    """Run a worker as `work` does, while signals are the caller's."""
    settings = replace(settings, running=_within_limits(settings.running, journal))
    with closing(Guard(f"{WORKER_VARIABLE}={me.worker_id}")) as guard:
        filed_as = await _usable(store, outputs, journal, stop)
        pilot = _pilot(settings, me, filed_as, store=store, outputs=outputs, guard=guard, journal=journal, stop=stop)
        tally = await pilot.run()
    ended = {called: count for state, called in ENDINGS.items() if (count := tally.settled[state])}
    journal.note("worker ended", stopped=tally.stopped, **ended)
    return _status(tally, exit_zero=settings.running.exit_zero)


async def _usable(store: Store, outputs: OutputStore, journal: Journal, stop: Stop) -> str:
    """Find out whether there is a table and a place for output, with some patience: thousands may start at once.

    Returns the name that output is filed under.
    """
    patience = Patience(clock=SystemClock(), dice=random.Random(), journal=journal)  # noqa: S311
    limit = asyncio.get_running_loop().call_later(START_PATIENCE_S, stop.drain.set)
    try:
        table = await patience.call(store.describe, given_up=stop.drain)  # first: that it is missing is what to say
        await patience.call(outputs.check, given_up=stop.drain)
    finally:
        limit.cancel()
    return table.filed_as


def _within_limits(how: Running, journal: Journal) -> Running:
    """Take no more at a time than this process may open files for: it would claim and put back again and again."""
    nests = min(how.nests, scripts_at_once())
    items = min(how.items, scripts_at_once() // nests)
    if (items, nests) != (how.items, how.nests):
        journal.note("fewer at a time", items=items, nests=nests, reason="open files are limited. hint: ulimit -n")
    return replace(how, items=items, nests=nests)


def _status(tally: Tally, *, exit_zero: bool) -> int:
    if tally.errors:
        return OUR_FAILURE
    if tally.work_left:
        return WORK_LEFT
    return SOME_FAILED if tally.settled[State.FAILED] and not exit_zero else DRAINED


def _pilot(
    settings: Settings,
    me: Identity,
    filed_as: str,
    *,
    store: Store,
    outputs: OutputStore,
    guard: Guard,
    journal: Journal,
    stop: Stop,
) -> Pilot:
    how, clock, dice = settings.running, SystemClock(), random.Random()  # noqa: S311 - scatters, keeps no secret
    began = clock.monotonic()
    now = clock.now()
    row = Worker(me.worker_id, me.host, now, now, how.lease, job=me.job, process=own_mark(), slots=how.items)
    manners = Manners(linger=how.linger)
    budget_s = how.wall_time.total_seconds() if how.wall_time else None
    reserve = reserve_s(budget_s, kill_after_s=manners.kill_after.total_seconds())
    thrifty = isinstance(settings.table, DynamoTable)
    others = Others(me.worker_id, store, clock, dice, how.beat, how.lease, how.policy, fate, thrifty)
    tools = Tools(
        table=filed_as,
        address=_everywhere(settings.table),
        worker=me.worker_id,
        store=store,
        outputs=outputs,
        launcher=ShellLauncher(how.shell, guard=guard),
        clock=clock,
        dice=dice,
        journal=journal,
        patience=Patience(clock=clock, dice=dice, journal=journal),
        keeper=TimeKeeper(budget_s, reserve, how.min_remaining.total_seconds()),
        policy=how.policy,
        manners=manners,
        environ={**_environment(how), WORKER_VARIABLE: me.worker_id},
        nests=how.nests,
        timeout=how.timeout,
        elapsed_s=lambda: clock.monotonic() - began,
    )
    journal.note("worker started", worker=me.worker_id, table=str(settings.table), items=how.items, nests=how.nests)
    return Pilot(
        Plan(how.items, how.grace, Persistence(how.wait, how.idle_exit, _sure_after(settings.table))),
        tools,
        Beats(row, every=how.beat, store=store, clock=clock, journal=journal, stop=stop),
        stop,
        reclaim=others.look_after,
        outlook=others.outlook,
        every=how.beat,
        rss_bytes=_rss_bytes,
        notice=partial(interruption, endpoint) if (endpoint := metadata_endpoint(os.environ)) else None,
    )


def _everywhere(table: TableAddress) -> str:
    """Write an address so that it means the same in whatever folder a script goes to."""
    return str(SqliteTable(table.path.absolute()) if isinstance(table, SqliteTable) else table)


def _environment(how: Running) -> Mapping[str, str]:
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

"""Put a worker together from its parts and run it: the half of the composition root that is about running.

`app` imports it only for `pyanamo run`.
"""

from __future__ import annotations

import asyncio
import os
import random
from collections.abc import Callable, Mapping
from contextlib import closing, nullcontext
from dataclasses import replace
from datetime import timedelta
from functools import partial

from pyanamo_async.app.identity import Identity, find_platform
from pyanamo_async.app.limits import RoomSettings, room_for, rss_bytes, with_own_limits, within_limits
from pyanamo_async.app.locations import DynamoTable
from pyanamo_async.app.script_environment import script_environment
from pyanamo_async.app.settings import Settings
from pyanamo_async.app.signals import job_control_by_signal, orders_by_signal
from pyanamo_async.aws.instance_metadata import InstanceMetadata, interruption, metadata_endpoint
from pyanamo_async.core import values
from pyanamo_async.core.folders import NO_FOLDERS, Folder, parse_folders
from pyanamo_async.core.halting import parse_failed_limit
from pyanamo_async.core.items import State
from pyanamo_async.core.text.byte_sizes import show_size
from pyanamo_async.core.wall_time import WallTimeBudget, reserve_s
from pyanamo_async.core.workers import Worker, clock_error, ends_within
from pyanamo_async.execution import Guard, MemorySampler, MemorySamples, ShellLauncher
from pyanamo_async.fleet.failed_items import FailedItems
from pyanamo_async.fleet.going_home import GoingHome, IdlePolicy
from pyanamo_async.fleet.peers import PeerMonitor
from pyanamo_async.host.clock import SystemClock
from pyanamo_async.host.heartbeat_file import touching
from pyanamo_async.host.liveness import WORKER_VARIABLE, LocalProcesses, own_mark
from pyanamo_async.host.retry import RetrySchedule
from pyanamo_async.host.threads import LOOKUPS
from pyanamo_async.host.working_folders import WorkingFolders
from pyanamo_async.ports import EventLog, ObjectStore, OutputStore, Runtime, Store
from pyanamo_async.worker.context import Adapters, AttemptContext, KillPolicy, Plan, TaskSettings
from pyanamo_async.worker.pilot import Pilot
from pyanamo_async.worker.run_summary import RunSummary
from pyanamo_async.worker.stop import Level, Stop
from pyanamo_async.worker.store_calls import StoreCalls

START = RetrySchedule(limit_s=15.0)  # thousands may start at once
SETTLED = (State.DONE, State.FAILED)
ENDINGS = {each: str(each) for each in (*SETTLED, State.WALL_TIME_EXCEEDED)} | {
    State.TODO: "put_back",
    State.PENDING: "held",
}
INDEX_LAG = timedelta(seconds=1)  # of DynamoDB, which shows a write within milliseconds
NOTHING_LEFT, OUR_FAILURE, SOME_FAILED, OUT_OF_REACH = 0, 1, 3, 4
WORK_LEFT = 75  # EX_TEMPFAIL of sysexits.h: try again


async def work(
    settings: Settings,
    me: Identity,
    *,
    store: Store,
    outputs: OutputStore,
    objects: ObjectStore,
    event_log: EventLog,
    handle_signals: bool = False,
    on_stop: Callable[[timedelta], None] = lambda _: None,
) -> RunSummary:
    """Run a worker until it is done or told to stop; `on_stop` then hears how long that takes at most."""

    def stopping(*, now: bool) -> None:
        on_stop(ends_within(timedelta() if now else settings.running.grace))

    stop = Stop(lambda level: stopping(now=level is Level.NOW))
    orders = orders_by_signal(stop, stopping) if handle_signals else nullcontext()
    runtime = Runtime(SystemClock(), random.Random(), event_log)  # noqa: S311 - scatters, keeps no secret
    store.bad_rows.tell = lambda bad: event_log.note("row cannot be read", row=bad.row_id, why=bad.why)
    mark, metadata, samples = f"{WORKER_VARIABLE}={me.worker_id}", _metadata(event_log), MemorySamples()
    with (
        orders,
        closing(WorkingFolders()) as working_folders,
        closing(Guard(mark)) as guard,
        closing(MemorySampler(on_sample=samples.put)) as memory,
    ):
        finding = asyncio.create_task(find_platform(me.platform, os.environ, metadata, event_log=event_log))
        try:
            output_namespace = await _check_usable(store, outputs, runtime, stop)
            me = replace(me, platform=with_own_limits(await finding))
        finally:
            finding.cancel()
        asked = settings.running
        settings = replace(settings, running=within_limits(asked, me.platform, event_log))
        room = room_for(settings.running, asked, me.platform, event_log)
        memory.budget_bytes = room.budget.memory_bytes
        launcher = await LOOKUPS.run(ShellLauncher, settings.running.shell, guard=guard, memory=memory)
        environment = await LOOKUPS.run(script_environment, settings, me.worker_id)
        adapters = Adapters(store, outputs, launcher, output_namespace, objects, working_folders)
        event_log.note(
            "worker started",
            worker=me.worker_id,
            table=str(settings.table),
            items=str(settings.running.items),
            nests=settings.running.nests,
            memory=None if room.budget.memory_bytes is None else show_size(room.budget.memory_bytes),
        )
        pilot = _pilot(
            settings,
            me,
            environment,
            adapters,
            runtime=runtime,
            stop=stop,
            lease_until=touching(
                asked.heartbeat_file,
                guard.lease_until,
                missed=lambda why: event_log.note("heartbeat file not touched", trouble=why),
            ),
            metadata=metadata,
            room=room,
            samples=samples,
        )
        with job_control_by_signal(pilot) if handle_signals else nullcontext():
            summary = await pilot.run()
    told = ENDINGS if summary.work_left else {state: called for state, called in ENDINGS.items() if state in SETTLED}
    ended = {called: count for state, called in told.items() if (count := summary.settled[state])}
    event_log.note("worker ended", stopped=summary.stopped, **ended)
    return summary


async def _check_usable(store: Store, outputs: OutputStore, runtime: Runtime, stop: Stop) -> str:
    """Check that there is a table and a place for output; return the name that output is filed under.

    The table's reply tells the service's time, by which the worker's row is stamped.
    """
    calls = StoreCalls(runtime, schedule=START)
    table = await calls.call(store.describe, give_up=stop.drain)  # first: a missing table is the better message
    now = runtime.clock.now()
    if error := clock_error(now, service_time=store.service_time(now=now)):
        runtime.event_log.note("clock wrong", error=error, hint="times in the table will be as wrong; set it by NTP")
    storage_calls = StoreCalls(runtime, schedule=START, called="output storage")
    await storage_calls.call(outputs.check, give_up=stop.drain)
    return table.output_namespace


def exit_status(summary: RunSummary, *, exit_zero: bool) -> int:
    """Return the exit status that says how a worker ended."""
    if summary.errors:
        return OUR_FAILURE
    if summary.work_left:
        return WORK_LEFT
    if summary.out_of_reach:
        return OUT_OF_REACH
    return SOME_FAILED if summary.settled[State.FAILED] and not exit_zero else NOTHING_LEFT


def _pilot(
    settings: Settings,
    me: Identity,
    environment: Mapping[str, str],
    adapters: Adapters,
    *,
    runtime: Runtime,
    stop: Stop,
    lease_until: Callable[[float], None],
    metadata: InstanceMetadata | None,
    room: RoomSettings,
    samples: MemorySamples,
) -> Pilot:
    how, store = settings.running, adapters.store
    now = store.service_time(now=runtime.clock.now())
    row = Worker(
        me.worker_id,
        me.host,
        now,
        now,
        how.lease,
        job=me.job,
        process=own_mark(),
        slots=room.items,
        last_attempts=how.last_attempts,
        platform=values.replace(me.platform, budget_bytes=room.budget.memory_bytes),
    )
    store.kind = row.kind
    kill_policy = KillPolicy(linger=how.linger, grace=how.grace)
    budget_s = how.wall_time.total_seconds() if how.wall_time else None
    reserve = reserve_s(budget_s, kill_after_s=kill_policy.kill_after.total_seconds())
    began_s = runtime.clock.monotonic()
    budget = WallTimeBudget(budget_s, reserve, how.min_remaining.total_seconds(), began_s)
    context = AttemptContext(
        me.worker_id,
        adapters,
        TaskSettings(
            environment,
            how.nests,
            how.timeout,
            how.policy,
            kill_policy,
            max_output_bytes=settings.storing.max_output_bytes,
            folders=parse_folders(how.folders) | ({Folder.SCRATCH} if how.scratch else NO_FOLDERS),
            checkpoint_every=how.checkpoint_every,
            budget_bytes=room.budget.memory_bytes,
        ),
        runtime,
        budget,
        StoreCalls(runtime),
    )
    interrupted = partial(interruption, metadata) if metadata else None
    limit = parse_failed_limit(how.max_failed) if how.max_failed else None
    failed_items = FailedItems(store, limit, clock=runtime.clock, processes=LocalProcesses()) if limit else None
    plan = Plan(
        row,
        how.heartbeat,
        how.grace,
        rss_bytes,
        interrupted,
        lease_until,
        how.halt_after,
        failed_items,
        samples.latest,
        room.budget,
        room.share_bytes,
        how.stagger,
    )
    return Pilot(plan, context, _going_home(settings, row, store, runtime), stop)


def _metadata(event_log: EventLog) -> InstanceMetadata | None:
    """Return the metadata service of this instance; None where there is none."""
    endpoint = metadata_endpoint(os.environ)

    def note(trouble: str) -> None:
        hint = "in a container it takes a hop limit of 2; draining by ECS sends SIGTERM without it"
        event_log.note("Spot notices limited", trouble=f"{trouble}. hint: {hint}")

    return InstanceMetadata(endpoint, on_trouble=note) if endpoint else None


def _going_home(settings: Settings, row: Worker, store: Store, runtime: Runtime) -> GoingHome:
    how, is_remote = settings.running, isinstance(settings.table, DynamoTable)
    peers = PeerMonitor(
        row, store, runtime=runtime, policy=how.policy, processes=LocalProcesses(), pays_per_read=is_remote
    )
    idle_policy, index_lag = IdlePolicy(how.wait, how.idle_exit), INDEX_LAG if is_remote else timedelta()
    return GoingHome(store, peers, runtime=runtime, idle_policy=idle_policy, index_lag=index_lag)

"""Run a schedule: the product's own workers and store on virtual time, against a simulated table, observed by the laws.

A worker that is killed, or exits with another code than 0, is replaced, as AWS Batch does; one that exits with 0 is
not. The schedule is over when no place has a worker any more. Then every item must be done or failed.
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from functools import partial

from pyanamo_async.core.halting import is_halted, parse_failed_limit
from pyanamo_async.core.memory.classes import largest_class
from pyanamo_async.core.queue_lanes import WorkerKind
from pyanamo_async.core.workers import ProcessStatus, Worker
from pyanamo_async.errors import PyanamoError
from pyanamo_async.fleet.going_home import IdlePolicy
from pyanamo_async.worker.run_summary import RunSummary
from pyanamo_async.worker.stop import Level
from simulation.crew import Crew, FakeProcesses
from simulation.laws import Broken, Laws
from simulation.lives import Life
from simulation.member import Guard, Member, ObservedLauncher, ObservedNotes
from simulation.network import NETWORK, Client
from simulation.schedule import LARGE_GIB, Action, Event, Schedule
from simulation.service import Service
from simulation.suspension import Machine, SuspendableLoop, SuspendableProcess
from simulation.virtual_time import run_on
from simulation.workers import INDEX_LAG, store_of

LONGEST_S = 4 * 3600.0
GUARD_S = 5.0
REPLACED_WITHIN_S = 30.0
LOOKS_EVERY_S = 5.0
CLOCK_SET_AFTER_S = 10.0  # by NTP, once a suspended machine runs again


class Fleet:
    """Workers come and go until all items are settled."""

    def __init__(self, schedule: Schedule, loop: SuspendableLoop, *, aloud: bool = False) -> None:
        self._schedule, self._loop, self._aloud = schedule, loop, aloud
        self._rng = random.Random(schedule.seed)
        self._laws = Laws(loop, hides=schedule.index.slow > 0)
        self._service = Service(
            shards=1, rng=random.Random(self._rng.random()), lag=schedule.index, on_write=self._laws.wrote
        )
        self._members: list[Member] = []
        self._at: dict[int, Member] = {}

    async def live(self) -> Counter[str]:
        """Run the schedule; return how many items ended in which state."""
        self._service.seed(self._schedule.rows(), last_attempts_after=self._schedule.last_attempts_after)
        places = [asyncio.create_task(self._place(number)) for number in range(len(self._schedule.places))]
        for event in self._schedule.events:
            self._loop.call_at(event.at_s, self._happen, event)
        try:
            async with asyncio.timeout(LONGEST_S):
                await self._until_all_went_home(places)
        except TimeoutError:
            raise Broken(f"not drained after {LONGEST_S:g} s") from None
        finally:
            self._laws.is_over = True
            for place in places:
                place.cancel()
            await asyncio.wait(places)
            hanging = [member.crew.name for member in self._members if not await member.put_away()]
        if hanging:
            raise Broken(f"{', '.join(hanging)} did not end when cancelled")
        return self._service.states()

    async def _until_all_went_home(self, places: list[asyncio.Task[None]]) -> None:
        pending = set(places)
        while pending:
            done, pending = await asyncio.wait(pending, timeout=LOOKS_EVERY_S, return_when=asyncio.FIRST_EXCEPTION)
            if self._laws.violations:
                raise Broken(self._laws.violations[0])
            for place in done:
                place.result()
            if self._is_settled():
                self._stop_waiting()
        if not self._is_over():
            raise Broken(f"all workers went home, and items are left: {dict(self._service.states())}")

    def _is_settled(self) -> bool:
        return self._service.states().keys() <= {"done", "failed"}

    def _is_over(self) -> bool:
        return self._is_settled() or self._too_many_failed()

    def _too_many_failed(self) -> bool:
        if self._schedule.max_failed is None:
            return False
        states = self._service.states()
        return states["failed"] >= parse_failed_limit(self._schedule.max_failed).least(states.total())

    def _stop_waiting(self) -> None:
        for number, member in self._at.items():
            if self._schedule.places[number].waits:
                member.request(Level.DRAIN)

    async def _place(self, number: int) -> None:
        """Run a worker, and another as long as one was killed or left work behind, or is needed for its size."""
        await asyncio.sleep(self._schedule.places[number].starts_s)
        is_large = self._schedule.places[number].memory_gib == LARGE_GIB
        while not await self._worker(number) or (is_large and not self._is_over()):  # noqa: ASYNC110 # no event tells
            await asyncio.sleep(self._rng.random() * REPLACED_WITHIN_S)

    async def _worker(self, number: int) -> bool:
        """Let a worker live; return whether it exited with 0."""
        member = self._at[number] = self._member(number)
        self._members.append(member)
        life, killed = member.begin(), asyncio.create_task(member.killed.wait())
        try:
            await asyncio.wait({life, killed}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            killed.cancel()
            self._at.pop(number, None)
        self._laws.died(member.crew.name)
        return not member.killed.is_set() and self._ended_well(life, member)

    def _ended_well(self, life: asyncio.Task[RunSummary], member: Member) -> bool:
        trouble = life.exception()
        if isinstance(trouble, PyanamoError):
            return False  # it could not even begin
        if trouble is not None:
            raise trouble
        summary = life.result()
        if not summary.lost and self._laws.lives[member.crew.name].said_goodbye:
            self._laws.let_go(member.crew.name, self._service.attempts_held_by(member.crew.name))
        if is_halted(summary.stopped):
            return self._too_many_failed()  # otherwise somebody looks at the machine, and starts another worker
        if summary.work_left or summary.errors:
            return False
        if not summary.out_of_reach:  # otherwise another would not help
            self._laws.went_home(member.crew.name, self._service.states_by_item(member.crew.store.kind))
        return True

    def _member(self, number: int) -> Member:
        plan, rng, loop = self._schedule.places[number], self._rng, self._loop
        name = f"{0 if self._schedule.one_machine else number}-w{len(self._members) + 1}"
        machine = Machine(loop, plan.clock_offset_s)
        process, scripts = (SuspendableProcess(loop, machine) for _ in range(2))
        launcher = ObservedLauncher(self._laws, process, scripts)
        guard = Guard(loop, launcher)
        client = Client(
            self._service,
            random.Random(rng.random()),
            self._schedule.network,
            sender=name,
            on_heartbeat=partial(self._laws.heartbeat_arrived, name),
            on_answered_heartbeat=partial(self._laws.heartbeat_answered, name),
        )
        crew = Crew(
            loop,
            name=name,
            store=store_of(client, seed=rng.getrandbits(32), clock=machine),
            launcher=launcher,
            notes=ObservedNotes(laws=self._laws, speaker=name, aloud=self._aloud),
            seed=rng.getrandbits(32),
            slots=plan.slots,
            nests=plan.nests,
            clock=machine,
            processes=FakeProcesses(self._process_status, self._end_scripts),
            pays_per_read=True,
            wall_s=plan.wall_s,
            index_lag=INDEX_LAG,
            idle_policy=IdlePolicy(wait=plan.waits),
            lease_until=guard.lease_until,
            halt_after=plan.halt_after,
            max_failed=self._schedule.max_failed,
            budget=plan.budget,
            is_sampled=False,
            last_attempts=plan.last_attempts,
        )
        now_s, kind = loop.time(), WorkerKind(largest_class(plan.budget.memory_bytes), plan.last_attempts)
        self._laws.lives[name] = Life(process, crew.lease_s, now_s, now_s, kind=kind)
        return Member(crew, client, machine, process, scripts, launcher, guard)

    def _process_status(self, worker: Worker) -> ProcessStatus:
        """Return what a machine knows of its own processes."""
        if not self._schedule.one_machine:
            return ProcessStatus.UNKNOWN
        member = next(each for each in self._members if each.crew.name == worker.worker_id)
        if member.killed.is_set() or (member.life and member.life.done()):
            return ProcessStatus.UNKNOWN if member.launcher.running else ProcessStatus.DIED
        return ProcessStatus.STANDS if member.process.stopped else ProcessStatus.LIVES

    def _end_scripts(self, worker: Worker) -> bool:
        """Kill what a process of the same machine started."""
        if self._schedule.one_machine:
            member = next(each for each in self._members if each.crew.name == worker.worker_id)
            NETWORK.run(member.launcher.kill)
        return True

    def _happen(self, event: Event) -> None:
        member = self._at.get(event.place)
        if self._aloud:
            print(f"{self._loop.time():9.1f} {member.crew.name if member else '-':>6} --- {event}")
        if member is None:
            return
        match event.action:
            case Action.KILL:
                member.kill(scripts_end_after_s=self._rng.random() * GUARD_S)
            case Action.STOP:
                member.request(Level.STOP)
            case Action.DRAIN:
                member.request(Level.DRAIN)
            case Action.CUT_OFF:
                member.client.cut()
                self._loop.call_later(event.seconds, member.client.mend, context=NETWORK)
            case Action.JUMP_CLOCK:
                member.machine.offset_s += event.seconds
            case Action.LOSE_REPLY:
                member.client.lose_next_reply()
            case Action.REPEAT_WRITE:
                member.client.repeat_next_write(event.seconds)
            case Action.PAUSE | Action.FREEZE | Action.SUSPEND:
                member.stand_still(with_scripts=event.action is not Action.PAUSE)
                self._loop.call_later(event.seconds, self._resume, member, event, context=NETWORK)

    def _resume(self, member: Member, event: Event) -> None:
        is_suspension = event.action is Action.SUSPEND
        if is_suspension:
            member.machine.offset_s -= event.seconds
            self._loop.call_later(CLOCK_SET_AFTER_S, member.machine.set_clock, event.seconds, context=NETWORK)
        noticed_s = member.resume(self._loop, suspended_s=event.seconds if is_suspension else 0.0)
        self._loop.call_later(noticed_s, self._laws.look_everywhere, context=NETWORK)


def simulate(schedule: Schedule, *, aloud: bool = False) -> Counter[str]:
    """Run one schedule; return how its items ended.

    Raises:
        Broken: a law does not hold.
    """
    try:
        return run_on(SuspendableLoop(), lambda loop: Fleet(schedule, loop, aloud=aloud).live())
    except BaseExceptionGroup as group:
        raise _first_broken(group) or group from None


def _first_broken(error: BaseException) -> Broken | None:
    if isinstance(error, BaseExceptionGroup):
        return next(filter(None, map(_first_broken, error.exceptions)), None)
    return error if isinstance(error, Broken) else None

"""A fleet in a box: workers on virtual time, and a table that is far away (`network`), watched over by a `witness`.

One number is a whole schedule: `python -m tests.stress.simulation 4711` replays it and prints what happened, and
`0..9999` runs a range on all cores. Workers are killed, stopped for a while alone or with their machine, cut off from
the table, told to stop or to drain, and have clocks that are wrong by up to 20 s. Whoever is killed, or leaves work
behind, is replaced; whoever finds nothing more to do goes home, as `pyanamo run` does.

Besides the laws of the witness, for every number: every item is done or failed in the end, and a worker that went home
left no script behind. Where clocks differ by more than a beat, the last to go home may take one that has just vanished
for alive: then it takes `pyanamo reclaim`, or the next run, to find what that one held.
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta

from pyanamo_async.core.items import Item
from pyanamo_async.core.outcomes import InterruptReason
from pyanamo_async.errors import PyanamoError
from pyanamo_async.fleet.idle_policy import IdlePolicy
from pyanamo_async.fleet.reclaim import reclaim, reclaim_orphans
from pyanamo_async.worker.pilot import RunSummary
from pyanamo_async.worker.stop import Level
from tests.fakes import an_item
from tests.stress.member import Member, SeenLauncher, SeenNotes
from tests.stress.network import NETWORK, OLDEST_VIEW_S, Line, Table
from tests.stress.suspension import SuspendableLoop, SuspendableProcess
from tests.stress.witness import Broken, Witness
from tests.worker.crew import Crew
from tests.worker.virtual import VirtualClock, run_on

LONGEST_S = 6 * 3600.0
SKEW_S = 20.0
GUARD_S = 5.0
FATES = ("kill", "stand still", "freeze", "cut off", "stop", "drain", "nothing", "nothing")


@dataclass
class Fleet:
    """Workers come and go until all items are settled."""

    seed: int
    loop: SuspendableLoop
    tell: bool = False
    witness: Witness = field(default_factory=Witness)
    members: list[Member] = field(default_factory=list)
    stranded: int = 0

    def __post_init__(self) -> None:
        self.rng = random.Random(self.seed)
        self.table = Table(self.loop, self.witness)
        self.is_near = self.rng.random() < 0.3  # workers of one machine, by their names
        self.skew_s = self.rng.choice([0.0, 8.0, SKEW_S])
        self.badness = self.rng.choice([0.0, 0.02, 0.1, 0.2])

    async def live(self) -> Counter[str]:
        """Run the schedule; count how many items ended in which state, and how many were put back by hand."""
        rng = self.rng
        await self.table.create(shards=1)
        await self.table.add([self._item(n) for n in range(rng.randint(1, 15))])
        self.table.imported()
        places = [asyncio.create_task(self._place()) for _ in range(rng.randint(1, 4))]
        try:
            async with asyncio.timeout(LONGEST_S):
                await self._until_settled(places)
        except TimeoutError:
            raise Broken(f"not drained after {LONGEST_S:g} s") from None
        finally:
            self.witness.is_off_duty = True
            for place in places:
                place.cancel()
            await asyncio.wait(places)
            for member in self.members:
                await member.put_away()
        counts = (await self.table.counts()).items
        return Counter({str(state): n for state, n in counts.items() if n} | {"stranded": self.stranded})

    async def _until_settled(self, places: list[asyncio.Task[None]]) -> None:
        while not self.table.settled():
            await asyncio.sleep(5)
            if self.witness.violations:
                raise Broken(self.witness.violations[0])
            if all(place.done() for place in places):
                for place in places:
                    place.result()
                if not self.table.settled():
                    await self._by_hand()
        if self.witness.violations:
            raise Broken(self.witness.violations[0])

    async def _by_hand(self) -> None:
        """When all went home and something is left: `pyanamo reclaim`, and a worker more."""
        crew = Crew(self.loop)
        await asyncio.sleep(crew.lease_s + 2 * SKEW_S)
        now, lease = VirtualClock(self.loop).now(), timedelta(seconds=crew.lease_s)
        taken = await reclaim(self.table, now=now, lease=lease, policy=crew.policy)
        taken += await reclaim_orphans(self.table, now=now, policy=crew.policy)
        if not taken:
            raise Broken("all workers went home, and nobody holds what is left")
        self.stranded += taken.total()
        if self.skew_s < SKEW_S:
            raise Broken("the last worker went home while one that had vanished held an item")
        await asyncio.sleep(OLDEST_VIEW_S)
        while not await self._worker(safe=True):
            pass

    def _item(self, number: int) -> Item:
        rng = self.rng
        mean_s = rng.choice([10, 60, 400])
        scripts = [
            f"sleep {rng.expovariate(1 / mean_s):.2f}" + (";exit 1" if rng.random() < 0.1 else "") for _ in range(3)
        ]
        nested = scripts if rng.random() < 0.3 else ()
        return an_item(f"i{number}", script=scripts[0], nested=nested)

    async def _place(self) -> None:
        """Where a worker runs, and another when it was killed or left work behind."""
        await asyncio.sleep(self.rng.random() * 10)
        while not await self._worker():  # noqa: ASYNC110 # nothing to wait for
            await asyncio.sleep(self.rng.random() * 30)  # it takes a while to start another

    async def _worker(self, *, safe: bool = False) -> bool:
        """Let a worker live; tell whether it went home because nothing was left."""
        member = self._member(safe=safe)
        self.members.append(member)
        life = member.begin()
        process_status = asyncio.create_task(asyncio.Event().wait() if safe else self._fate(member))
        try:
            await asyncio.wait({life, process_status}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            process_status.cancel()
        if not life.done():
            process_status.result()
            return False  # killed
        return self._ended(life, member)

    def _ended(self, life: asyncio.Task[RunSummary], member: Member) -> bool:
        trouble = life.exception()
        if isinstance(trouble, PyanamoError):
            return False  # it could not even begin
        if trouble is not None:
            raise trouble
        self.witness.went_home(member.process)
        return not life.result().work_left

    def _member(self, *, safe: bool) -> Member:
        rng, number = self.rng, len(self.members) + 1
        name = f"{0 if self.is_near else number}-{number}"
        process, machine = SuspendableProcess(self.loop), SuspendableProcess(self.loop)
        line = Line(self.table, self.loop, rng, self.badness)
        launcher = SeenLauncher(self.witness, process, machine)
        crew = Crew(
            self.loop,
            name=name,
            store=line,  # type: ignore[arg-type] # what workers use of a store
            launcher=launcher,
            notes=SeenNotes(witness=self.witness, speaker=name, loop=self.loop if self.tell else None),
            seed=rng.getrandbits(32),
            slots=rng.randint(1, 4),
            nests=rng.randint(1, 2),
            skew=timedelta(seconds=rng.uniform(-self.skew_s, self.skew_s)),
            wall_s=rng.choice([None, None, 300.0]),
            index_lag=timedelta(seconds=1),
            idle_policy=IdlePolicy(wait=rng.random() < 0.2 and not safe),
        )
        return Member(crew, line, process, machine, launcher)

    async def _fate(self, member: Member) -> None:
        """Choose what happens to a worker, in its time; return when it is dead."""
        rng = self.rng
        while True:
            await asyncio.sleep(rng.expovariate(1 / 200))
            process_status = rng.choice(FATES)
            if self.tell:
                print(f"{self.loop.time():9.1f} {member.crew.name:>6} --- {process_status}")
            match process_status:
                case "kill":
                    member.process.stop()
                    self.loop.call_later(rng.random() * GUARD_S, member.launcher.kill, context=NETWORK)
                    return
                case "stand still" | "freeze":
                    await self._stand_still(member, with_machine=process_status == "freeze")
                case "cut off":
                    member.line.cut()
                    await asyncio.sleep(rng.expovariate(1 / 200))
                    member.line.mend()
                case "stop":
                    member.process.context.copy().run(member.crew.stop.request, Level.STOP, str(InterruptReason.STOP))
                case "drain":
                    member.process.context.copy().run(member.crew.stop.request, Level.DRAIN, "drain")

    async def _stand_still(self, member: Member, *, with_machine: bool) -> None:
        member.process.stop()
        if with_machine:
            member.machine.stop()
        await asyncio.sleep(self.rng.expovariate(1 / 200))
        if with_machine:
            member.machine.go_on()
        member.process.go_on()
        await asyncio.sleep(0.5)  # virtual: time enough to notice that it stood still
        self.witness.look_everywhere()


def simulate(seed: int, *, tell: bool = False) -> Counter[str]:
    """Run one schedule; raises `Broken` when a law does not hold."""
    try:
        return run_on(SuspendableLoop(), lambda loop: Fleet(seed, loop, tell).live())
    except BaseExceptionGroup as group:
        raise next((error for error in _leaves(group) if isinstance(error, Broken)), group) from None


def _leaves(error: BaseException) -> Iterator[BaseException]:
    if not isinstance(error, BaseExceptionGroup):
        yield error
        return
    for inner in error.exceptions:
        yield from _leaves(inner)


if __name__ == "__main__":
    from tests.stress.blocks import main

    main()

"""A fleet in a box: workers on virtual time, and a table that is slow, forgetful, repetitive and out of date.

One number is a whole schedule: `python -m tests.stress.simulation 4711` replays it and prints what happened. Workers
are killed, cut off from the table, and have clocks that are wrong by up to 20 s. Requests are lost, replies are lost,
requests arrive again later, and the queue is read as it was a while ago.

What must hold, for every number: every item is done or buried in the end; none is settled twice under one attempt; no
two runs of one item overlap; nothing is done without having run to its end.
"""

from __future__ import annotations

import asyncio
import random
import sys
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from pyanamo_async.core.items import Item, State, Summary
from pyanamo_async.core.outcomes import Why
from pyanamo_async.core.workers import Orders, Worker
from pyanamo_async.errors import Fenced, PyanamoError, Unavailable
from pyanamo_async.ports import Command, Receiver
from pyanamo_async.store.memory import MemoryStore
from pyanamo_async.worker.claims import Persistence
from pyanamo_async.worker.stop import Level
from tests.fakes import an_item
from tests.worker.crew import Crew, Notes
from tests.worker.fake_launcher import FakeLauncher, FakeProcess
from tests.worker.virtual import VirtualLoop, run

LONGEST_S = 6 * 3600.0
SKEW_S = 20.0


class Broken(AssertionError):
    """A law does not hold."""


@dataclass
class Witness:
    """Sees every run and every settle that took effect."""

    running: defaultdict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    settled: Counter[tuple[str, int]] = field(default_factory=Counter)
    done: Counter[str] = field(default_factory=Counter)
    finished: Counter[str] = field(default_factory=Counter)
    violations: list[str] = field(
        default_factory=list
    )  # kept here too: a worker survives what goes wrong in an attempt

    def broken(self, law: str) -> None:
        self.violations.append(law)
        raise Broken(law)

    def started(self, item_id: str, attempt: str) -> None:
        others = {running for running in self.running[item_id] if running != attempt}
        if others:
            self.broken(f"{item_id} runs under attempt {attempt} and {others}")
        self.running[item_id][attempt] += 1

    def ended(self, item_id: str, attempt: str) -> None:
        self.running[item_id] -= Counter([attempt])

    def saved(self, before: Item, after: Item) -> None:
        if before.state is State.LOCKED and after.state is not State.LOCKED:
            self.settled[before.item_id, before.attempt] += 1
            if self.settled[before.item_id, before.attempt] > 1:
                self.broken(f"attempt {before.attempt} at {before.item_id} was settled twice")
        if after.state is State.DONE:
            self.done[after.item_id] += 1
            if not self.finished[after.item_id]:
                self.broken(f"{after.item_id} is done and never ran to its end")


class SeenStore(MemoryStore):
    """The truth: a table in memory that shows its witness every write that took effect."""

    def __init__(self, witness: Witness, dice: random.Random) -> None:
        super().__init__(token=lambda: f"{dice.getrandbits(64):x}")
        self._witness = witness

    async def save(self, before: Item, after: Item) -> None:
        known = await self.read(before.item_id)
        await super().save(before, after)
        if known != after and (known.state, known.attempt, known.token) == (before.state, before.attempt, before.token):
            self._witness.saved(before, after)


class Weather:
    """What one worker sees of the table."""

    def __init__(self, store: SeenStore, dice: random.Random, badness: float) -> None:
        self._store, self._dice, self._badness = store, dice, badness
        self.cut_off = asyncio.Event()
        self.cut_off.set()
        self.dead = False
        self._echoes: set[asyncio.Task[None]] = set()

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 # stands for every method of a store
        method = getattr(self._store, name)

        async def call(*args: Any, **kwargs: Any) -> Any:  # noqa: ANN401
            await self._travel()
            if self._chance(0.5):
                raise Unavailable(f"{name}: the request was lost")
            answer = await method(*args, **kwargs)
            if name == "save" and self._chance(1):
                self._echoes.add(asyncio.create_task(self._again(*args)))
            await self._travel()
            if self._chance(0.5):
                raise Unavailable(f"{name}: the reply was lost")
            return answer

        return call

    async def claim(self, worker: str, *, limit: int, now: datetime, state: State = State.TODO) -> list[Item]:
        """Claim from a queue as it was: some of it is not seen yet, and what was seen may be gone."""
        if self._chance(2):
            return []
        return await self.__getattr__("claim")(worker, limit=self._dice.randint(1, limit), now=now, state=state)  # type: ignore[no-any-return]

    async def next_due(self, *, state: State = State.TODO) -> datetime | None:
        """Look at a queue as it was: it may seem empty when it is not."""
        if self._chance(1):
            return None
        return await self.__getattr__("next_due")(state=state)  # type: ignore[no-any-return]

    async def beat(self, worker: Worker) -> Orders:
        """Beat, through the same weather."""
        return await self.__getattr__("beat")(worker)  # type: ignore[no-any-return]

    async def summaries(self, *, state: State | None = None) -> AsyncIterator[Summary]:
        """List, through the same weather."""
        await self._travel()
        if self._chance(1):
            raise Unavailable("summaries: the reply was lost")
        async for summary in self._store.summaries(state=state):
            yield summary

    async def _travel(self) -> None:
        if self.dead:
            await asyncio.Event().wait()
        await self.cut_off.wait()
        await asyncio.sleep(self._dice.expovariate(20) + (self._dice.random() * 8 if self._chance(0.3) else 0))
        if self.dead:
            await asyncio.Event().wait()

    async def _again(self, before: Item, after: Item) -> None:
        await asyncio.sleep(self._dice.random() * 300)
        try:
            await self._store.save(before, after)
        except Fenced:
            return

    def _chance(self, weight: float) -> bool:
        return self._dice.random() < weight * self._badness


class SeenLauncher(FakeLauncher):
    """Starts fake scripts in sight of the witness."""

    def __init__(self, witness: Witness) -> None:
        super().__init__()
        self._witness = witness
        self._seen: set[asyncio.Task[None]] = set()

    async def start(self, command: Command, *, stdout: Receiver, stderr: Receiver) -> FakeProcess:
        item_id, attempt = command.env["PYANAMO_ITEM_ID"], command.env["PYANAMO_ATTEMPT"]
        self._witness.started(item_id, attempt)
        process = await super().start(command, stdout=stdout, stderr=stderr)
        self._seen.add(asyncio.create_task(self._see_end(process, item_id, attempt)))
        return process

    async def _see_end(self, process: FakeProcess, item_id: str, attempt: str) -> None:
        exit_ = await process.wait()
        self._witness.ended(item_id, attempt)
        self._witness.finished[item_id] += exit_.code == 0


@dataclass
class Fleet:
    """Workers come and go until all items are settled."""

    seed: int
    loop: VirtualLoop
    tell: bool = False
    witness: Witness = field(default_factory=Witness)

    def __post_init__(self) -> None:
        self.dice = random.Random(self.seed)
        self.store = SeenStore(self.witness, self.dice)
        self.badness = self.dice.choice([0.0, 0.02, 0.1, 0.2])
        self.started = 0

    async def live(self) -> Counter[State]:
        """Run the schedule; return how many items ended in which state."""
        dice = self.dice
        await self.store.create(shards=1)
        await self.store.add([self._item(n) for n in range(dice.randint(1, 15))])
        try:
            async with asyncio.timeout(LONGEST_S), asyncio.TaskGroup() as group:
                places = [group.create_task(self._place()) for _ in range(dice.randint(1, 4))]
                while not await self._settled():
                    await asyncio.sleep(5)
                    if self.witness.violations:
                        raise Broken(self.witness.violations[0])
                for place in places:
                    place.cancel()
        except TimeoutError:
            raise Broken(f"not drained after {LONGEST_S:g} s") from None
        counts = (await self.store.counts()).items
        return Counter({state: n for state, n in counts.items() if n})

    def _item(self, number: int) -> Item:
        dice = self.dice
        mean_s = dice.choice([10, 60, 400])
        scripts = [
            f"sleep {dice.expovariate(1 / mean_s):.2f}" + (";exit 1" if dice.random() < 0.1 else "") for _ in range(3)
        ]
        nested = scripts if dice.random() < 0.3 else ()
        return an_item(f"i{number}", script=scripts[0], nested=nested)

    async def _settled(self) -> bool:
        counts = (await self.store.counts()).items
        return counts[State.DONE] + counts[State.FAILED] == sum(counts.values())

    async def _place(self) -> None:
        """Where a worker runs, and another when it is gone."""
        while True:
            await self._worker()
            await asyncio.sleep(self.dice.random() * 30)

    async def _worker(self) -> None:
        dice, self.started = self.dice, self.started + 1
        weather = Weather(self.store, dice, self.badness)
        crew = Crew(
            self.loop,
            name=f"w{self.started}",
            store=weather,  # type: ignore[arg-type] # stands for one
            launcher=SeenLauncher(self.witness),
            notes=Loud(crew_name=f"w{self.started}", loop=self.loop) if self.tell else Notes(),
            seed=dice.getrandbits(32),
            slots=dice.randint(1, 4),
            nests=dice.randint(1, 2),
            skew=timedelta(seconds=dice.uniform(-SKEW_S, SKEW_S)),
            wall_s=dice.choice([None, None, 300.0]),
            persistence=Persistence(wait=dice.random() < 0.5),
        )
        life = asyncio.create_task(crew.pilot().run())
        fate = asyncio.create_task(self._fate(crew, weather))
        try:
            await asyncio.wait({life, fate}, return_when=asyncio.FIRST_COMPLETED)
            if weather.dead:
                for process in crew.launcher.processes:
                    process.signal(9)  # the guard's work
        finally:
            fate.cancel()
            life.cancel()
            await asyncio.wait({life})
        if not life.cancelled() and (trouble := life.exception()) and not isinstance(trouble, PyanamoError):
            raise trouble

    async def _fate(self, crew: Crew, weather: Weather) -> None:
        """Choose what happens to a worker, in its time; return when it is dead."""
        dice = self.dice
        while True:
            await asyncio.sleep(dice.expovariate(1 / 200))
            match dice.choice(["kill", "cut off", "stop", "drain", "nothing", "nothing"]):
                case "kill":
                    weather.dead = True
                    return
                case "cut off":
                    weather.cut_off.clear()
                    await asyncio.sleep(dice.expovariate(1 / 200))
                    weather.cut_off.set()
                case "stop":
                    crew.stop.request(Level.STOP, str(Why.STOP))
                case "drain":
                    crew.stop.request(Level.DRAIN, "drain")


@dataclass
class Loud(Notes):
    """Prints what it is told."""

    crew_name: str = ""
    loop: VirtualLoop | None = None

    def note(self, event: str, /, **fields: object) -> None:
        at = self.loop.time() if self.loop else 0.0
        print(f"{at:9.1f} {self.crew_name:>4} {event}", *(f"{key}={value}" for key, value in fields.items()))


def simulate(seed: int, *, tell: bool = False) -> Counter[State]:
    """Run one schedule; raises `Broken` when a law does not hold."""
    try:
        return run(lambda loop: Fleet(seed, loop, tell).live())
    except BaseExceptionGroup as group:
        raise next((error for error in _leaves(group) if isinstance(error, Broken)), group) from None


def _leaves(error: BaseException) -> Iterator[BaseException]:
    if not isinstance(error, BaseExceptionGroup):
        yield error
        return
    for inner in error.exceptions:
        yield from _leaves(inner)


def main() -> None:
    """Replay one seed aloud, or run a range of them: `SEED` or `FIRST..LAST`."""
    first, _, last = sys.argv[1].partition("..")
    for seed in range(int(first), int(last or first) + 1):
        try:
            ended = simulate(seed, tell=not last)
        except Broken as law:
            print(f"seed {seed}: {law}")
            raise SystemExit(1) from None
    print(f"{int(last or first) - int(first) + 1} schedules, every law held; the last ended with {dict(ended)}")


if __name__ == "__main__":
    main()

"""A schedule, as a value: what is to be done, by whom, and what disturbs it, in order. It always goes the same way.

`draw` makes one from a seed. Tests of single rules write theirs down.
"""

from __future__ import annotations

import random
from collections.abc import Collection
from dataclasses import dataclass, field, replace
from enum import StrEnum

from pyanamo_async.core.items import Item
from pyanamo_async.core.memory.admission import NO_LIMIT, Budget
from pyanamo_async.core.text.byte_sizes import GIB
from simulation.index import IndexLag
from simulation.items import an_item
from simulation.network import Network

HORIZON_S = 1200.0  # nothing is disturbed later
SMALL_GIB, LARGE_GIB = 8, 64  # of memory
WITH_SIZES = 0.3  # of schedules, and of their items
WITH_CPUS, CPUS = 0.3, 2  # of schedules, half of whose items need all CPUs of a worker
WITH_LAST_ATTEMPTS = 0.3  # of schedules, and of their places beside the first
MEAN_PAUSE_S = 200.0  # between two events of a place, and of what lasts


class Disturbance(StrEnum):
    """What may go wrong in a schedule that is drawn."""

    LOST_REQUESTS = "lost requests"
    REPEATED_WRITES = "repeated writes"
    REPEATED_HEARTBEATS = "heartbeats repeated minutes later"
    LOST_NOTIFICATIONS = "lost notifications"
    INDEX_LAG = "an index that lags up to 0.9 s"
    INDEX_GAPS = "an index with gaps"  # rows that move stand nowhere for a moment
    SLOW_INDEX = "an index that lags 20 s now and then"
    SLOW_GAPS = "an index with gaps of up to 20 s"
    WRONG_CLOCKS = "clocks that are wrong by 8 s"
    VERY_WRONG_CLOCKS = "clocks that are wrong by minutes"
    CLOCK_JUMPS = "clocks that jump"
    SUSPENSIONS = "machines that are suspended"
    HALTING = "workers that halt when too much fails"


EXCLUDED = frozenset({Disturbance.SLOW_GAPS})
"""Disturbances that are on only where they are asked for, because no rule promises to withstand them.

A worker goes home after two looks `index_lag` (1 s) apart. For what an index shows nowhere for up to 20 s it does not
wait: when the worker that put an item back dies meanwhile, those that come later may leave the item. An index that is
as late but shows each row in its old place until then costs nothing.
"""

USUAL = frozenset(Disturbance) - EXCLUDED


class Action(StrEnum):
    """What happens to the worker that is at a place, for how long or how far where that matters."""

    KILL = "kill"
    PAUSE = "pause"  # the worker alone, as SIGSTOP does
    FREEZE = "freeze"  # the worker and its scripts
    SUSPEND = "suspend"  # the machine, with its monotonic clock
    CUT_OFF = "cut off"
    STOP = "stop"
    DRAIN = "drain"
    JUMP_CLOCK = "jump clock"
    LOSE_REPLY = "lose the reply to the next write"
    REPEAT_WRITE = "repeat the next write"


DRAWN = (Action.KILL, Action.PAUSE, Action.FREEZE, Action.CUT_OFF, Action.STOP, Action.DRAIN)


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happens at a moment to the worker at a place."""

    at_s: float
    place: int
    action: Action
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Place:
    """A machine on which a worker runs, and another whenever one was killed or left work behind.

    Its worker may use `memory_gib`, or nothing is known of it. One with as much as any item needs always has a worker.
    With fewer `cpus` than slots, items wait for room. With `last_attempts` its worker takes those.
    """

    starts_s: float = 0.0
    slots: int = 1
    nests: int = 1
    clock_offset_s: float = 0.0
    wall_s: float | None = None
    waits: bool = False
    halt_after: int | None = None
    memory_gib: int | None = None
    cpus: int = NO_LIMIT.cpus
    last_attempts: bool = False

    @property
    def budget(self) -> Budget:
        """Return what its worker may use."""
        return Budget(None if self.memory_gib is None else self.memory_gib * GIB, self.cpus)


@dataclass(frozen=True, slots=True)
class Schedule:
    """Items, each of one script or several; places; and what disturbs them. `seed` is for what else is random.

    Items in `large`, by number, need `LARGE_GIB` of memory, those in `wide` all `CPUS`. Those that lost their machines
    `last_attempts_after` times are left to workers that take last attempts.
    """

    items: tuple[tuple[str, ...], ...]
    places: tuple[Place, ...]
    events: tuple[Event, ...] = ()
    network: Network = field(default_factory=Network)
    index: IndexLag = field(default_factory=IndexLag)
    max_failed: str | None = None
    large: frozenset[int] = frozenset()
    wide: frozenset[int] = frozenset()
    last_attempts_after: int | None = None
    one_machine: bool = False  # workers can see each other's processes
    seed: int = 0

    def rows(self) -> list[Item]:
        """Return the items as they stand in the table at first."""
        return [
            an_item(
                f"i{number}",
                script=scripts[0],
                nested=scripts if len(scripts) > 1 else (),
                memory_bytes=LARGE_GIB * GIB if number in self.large else None,
                cpus=CPUS if number in self.wide else 1,
            )
            for number, scripts in enumerate(self.items)
        ]


def draw(seed: int, disturbances: Collection[Disturbance] = USUAL) -> Schedule:
    """Draw a schedule."""
    rng = random.Random(seed)
    clocks_s = [0.0]
    clocks_s += [8.0] * (Disturbance.WRONG_CLOCKS in disturbances)
    clocks_s += [300.0] * (Disturbance.VERY_WRONG_CLOCKS in disturbances)
    offset_s = rng.choice(clocks_s)
    halting = random.Random(f"{seed} halting")
    halts = Disturbance.HALTING in disturbances
    places = tuple(
        Place(
            starts_s=rng.random() * 10,
            slots=rng.randint(1, 4),
            nests=rng.randint(1, 2),
            clock_offset_s=rng.uniform(-offset_s, offset_s),
            wall_s=rng.choice([None, None, 300.0]),
            waits=rng.random() < 0.1,
            halt_after=halting.choice([None, None, 1, 2]) if halts else None,
        )
        for _ in range(rng.randint(1, 4))
    )
    items = tuple(_scripts(rng) for _ in range(rng.randint(1, 12)))
    places, large = _sizes(places, len(items), random.Random(seed + 1))
    places, wide = _cpus(places, len(items), random.Random(f"{seed} cpus"))
    places, after = _last_attempts(places, random.Random(f"{seed} last attempts"))
    return Schedule(
        items=items,
        places=places,
        large=large,
        wide=wide,
        last_attempts_after=after,
        events=_events(rng, len(places), disturbances),
        network=_network(rng, disturbances),
        index=_index(rng, disturbances),
        max_failed=halting.choice([None, None, None, "1", "2", "30%"]) if halts else None,
        one_machine=rng.random() < 0.3,
        seed=seed,
    )


def _sizes(places: tuple[Place, ...], items: int, rng: random.Random) -> tuple[tuple[Place, ...], frozenset[int]]:
    """Draw which items need a large worker, and of which size workers are: the first is large enough."""
    if rng.random() > WITH_SIZES:
        return places, frozenset()
    sizes = [LARGE_GIB, *(rng.choice([SMALL_GIB, SMALL_GIB, LARGE_GIB]) for _ in places[1:])]
    sized = (replace(each, memory_gib=size) for each, size in zip(places, sizes, strict=True))
    return tuple(sized), frozenset(number for number in range(items) if rng.random() < WITH_SIZES)


def _cpus(places: tuple[Place, ...], items: int, rng: random.Random) -> tuple[tuple[Place, ...], frozenset[int]]:
    """Draw which items need all CPUs of a worker, and wait there while others run."""
    if rng.random() > WITH_CPUS:
        return places, frozenset()
    few = tuple(replace(each, slots=each.slots + CPUS, cpus=CPUS) for each in places)
    return few, frozenset(number for number in range(items) if rng.random() < 1 / 2)


def _last_attempts(places: tuple[Place, ...], rng: random.Random) -> tuple[tuple[Place, ...], int | None]:
    """Draw after how many lost machines items are left to some workers, and to which: the first is one of them."""
    if rng.random() > WITH_LAST_ATTEMPTS:
        return places, None
    first, *others = places
    chosen = [replace(each, last_attempts=rng.random() < WITH_LAST_ATTEMPTS) for each in others]
    return (replace(first, last_attempts=True), *chosen), rng.randint(1, 3)


def _scripts(rng: random.Random) -> tuple[str, ...]:
    mean_s = rng.choice([2, 10, 60, 300])
    return tuple(
        f"sleep {rng.expovariate(1 / mean_s):.2f}" + (";exit 1" if rng.random() < 0.1 else "")
        for _ in range(3 if rng.random() < 0.3 else 1)
    )


def _events(rng: random.Random, places: int, disturbances: Collection[Disturbance]) -> tuple[Event, ...]:
    actions = [*DRAWN, *[Action.SUSPEND] * (Disturbance.SUSPENSIONS in disturbances)]
    actions += [Action.JUMP_CLOCK] * (Disturbance.CLOCK_JUMPS in disturbances)
    events = []
    for place in range(places):
        at_s = 0.0
        while (at_s := at_s + rng.expovariate(1 / MEAN_PAUSE_S)) < HORIZON_S:
            action = rng.choice(actions)
            seconds = rng.uniform(-600, 600) if action is Action.JUMP_CLOCK else rng.expovariate(1 / MEAN_PAUSE_S)
            events.append(Event(round(at_s, 1), place, action, round(seconds, 1)))
            at_s += abs(seconds) if action in {Action.PAUSE, Action.FREEZE, Action.SUSPEND, Action.CUT_OFF} else 0
    return tuple(sorted(events, key=lambda event: event.at_s))


def _network(rng: random.Random, disturbances: Collection[Disturbance]) -> Network:
    badness = rng.choice([0.0, 0.01, 0.05, 0.1]) if Disturbance.LOST_REQUESTS in disturbances else 0.0
    return Network(
        latency_s=0.1,
        lost=badness / 2,
        slow=badness / 3,
        repeated=badness if Disturbance.REPEATED_WRITES in disturbances else 0.0,
        repeated_heartbeats=badness if Disturbance.REPEATED_HEARTBEATS in disturbances else 0.0,
        lost_notifications=rng.choice([0.0, 0.3]) if Disturbance.LOST_NOTIFICATIONS in disturbances else 0.0,
    )


def _index(rng: random.Random, disturbances: Collection[Disturbance]) -> IndexLag:
    at_most_s = rng.choice([0.0, 0.9]) if Disturbance.INDEX_LAG in disturbances else 0.0
    slow = rng.choice([0.0, 0.1]) if Disturbance.SLOW_INDEX in disturbances else 0.0
    gaps = Disturbance.INDEX_GAPS in disturbances and rng.random() < 0.7
    if gaps and Disturbance.SLOW_GAPS not in disturbances:
        slow = 0.0
    return IndexLag(at_most_s=at_most_s, slow=slow, gaps=gaps)

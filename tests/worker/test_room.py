"""Packing by memory and CPUs, with fake scripts on virtual time."""

from __future__ import annotations

import asyncio
import random
from dataclasses import dataclass
from datetime import timedelta

import pytest

from pyanamo_async.core import transitions
from pyanamo_async.core.items import Item, State
from pyanamo_async.core.memory.admission import RESERVES_AFTER_S, Budget
from pyanamo_async.core.memory.room_wait import NOTHING_WAITS, RoomWait
from pyanamo_async.core.outcomes import Succeeded
from pyanamo_async.core.values import replace
from pyanamo_async.worker.room import Room
from pyanamo_async.worker.run_summary import RunSummary
from pyanamo_async.worker.stop import Level
from simulation.crew import Crew
from simulation.virtual_time import VirtualLoop, run
from tests.contract.steps import a_record
from tests.fakes import NOON, an_item

BUDGET = 4000
MANY_CPUS = 1000


@dataclass
class Ran:
    """How a crew came through."""

    crew: Crew
    summary: RunSummary
    seconds: float


def ran(items: list[Item], *, slots: int = 100, cpus: int = MANY_CPUS, share: int = BUDGET // 4, nests: int = 1) -> Ran:
    """Run items within the budget, and return how that went."""

    async def main(loop: VirtualLoop) -> Ran:
        crew = Crew(loop, slots=slots, nests=nests, budget=Budget(BUDGET, cpus), share_bytes=share)
        await crew.store.create(shards=1)
        await crew.store.add(items)
        began = loop.time()
        summary = await crew.pilot().run()
        return Ran(crew, summary, loop.time() - began)

    return run(main)


def a_job(number: int, use: int, seconds: float, *, memory_bytes: int | None = None, cpus: int = 1) -> Item:
    item = an_item(f"i{number:04}", script=f"use {use}; sleep {seconds}")
    return replace(item, memory_bytes=memory_bytes, cpus=cpus)


def mixed(small: int, large: int, *, declared: bool = True, seed: int = 1) -> list[Item]:
    """Return items of which a few need half of the budget, scattered among others that need an eightieth."""
    rng = random.Random(seed)
    kinds = [2000] * large + [50] * small
    rng.shuffle(kinds)
    return [
        a_job(number, use, rng.uniform(5, 15), memory_bytes=use if declared else None)
        for number, use in enumerate(kinds)
    ]


def test_an_item_that_waits_for_room_is_named() -> None:
    """A worker holds it and runs nothing of it: the log says so, once it has said that it holds it."""
    done = ran([a_job(0, 3000, 5, memory_bytes=3000), a_job(1, 3000, 5, memory_bytes=3000)])

    [waiting] = done.crew.notes.named("item waits for room")
    said = [event for event, fields in done.crew.notes.taken if fields.get("item") == waiting["item"]]

    assert waiting["item"] in {"i0000", "i0001"}
    assert said == ["item claimed", "item waits for room", "item has room", "item settled"]


def test_a_heartbeat_tells_what_waits_for_room_and_what_it_lacks() -> None:
    """So that it can be told from what runs, at no request of its own; once it runs nothing is said of it but that."""

    async def main(loop: VirtualLoop) -> tuple[set[str], list[tuple[int, RoomWait]]]:
        crew = Crew(loop, budget=Budget(BUDGET, 4))
        await crew.store.create(shards=1)
        await crew.store.add(
            [a_job(0, 3000, 50, memory_bytes=3000, cpus=3), a_job(1, 3000, 50, memory_bytes=3000, cpus=3)]
        )
        seen, working = [], loop.create_task(crew.pilot().run())
        for at_s in (45, 85):
            await asyncio.sleep(at_s - loop.time())
            [row] = await crew.store.workers()
            seen.append((row.running, row.waiting))
        tokens = {(await crew.store.read(name)).token for name in ("i0000", "i0001")}
        await working
        return tokens, seen

    tokens, [(running, waits), (running_later, later)] = run(main)

    assert (running, running_later) == (1, 1)
    assert waits.token in tokens
    assert waits == RoomWait(waits.token, memory_bytes=3000, free_bytes=BUDGET - 3000, cpus=3, free_cpus=1)
    assert later == NOTHING_WAITS


def test_what_declares_its_need_never_exceeds_the_budget() -> None:
    """And it takes not much longer than the best there could be: all memory in use all of the time."""
    items = mixed(190, 10)

    done = ran(items)

    assert done.summary.settled[State.DONE] == len(items)
    assert done.crew.launcher.most_used_bytes <= BUDGET
    assert set(done.crew.launcher.started.values()) == {1}


@pytest.mark.parametrize("seed", range(5))
def test_undeclared_needs_are_learned_and_nothing_starves(seed: int) -> None:
    """Whatever has to be ended on the way, every item is done in the end."""
    items = mixed(60, 6, declared=False, seed=seed)

    done = ran(items)

    assert done.summary.settled[State.DONE] == len(items)


def test_packing_beats_a_fixed_number_and_a_whole_worker_first() -> None:
    """A number that is safe for the largest leaves memory idle; so does a worker for each task of unknown need."""
    items = mixed(95, 5)
    safe = ran([replace(item, memory_bytes=None) for item in items], slots=2, share=1)
    whole_first = ran([replace(item, memory_bytes=None) for item in items], share=BUDGET)

    packed = ran(items)

    assert packed.seconds < safe.seconds / 3
    assert packed.seconds < whole_first.seconds
    assert packed.crew.launcher.most_used_bytes <= BUDGET


def test_small_items_fill_the_gaps_beside_one_that_waits() -> None:
    """The one that waits starts as soon as there is room."""
    items = [
        a_job(0, 3000, 10, memory_bytes=3000),
        a_job(1, 3000, 10, memory_bytes=3000),
        *(a_job(number, 100, 1, memory_bytes=100) for number in range(2, 12)),
    ]

    done = ran(items)

    assert done.seconds == pytest.approx(20, abs=1)
    assert done.crew.launcher.most_used_bytes <= BUDGET


def test_after_a_minute_nothing_starts_before_the_item_that_waits() -> None:
    """However many small ones there are, it starts when those have ended that ran then."""
    longest = 30.0
    items = [
        a_job(0, 3000, 5, memory_bytes=3950),
        *(a_job(number, 100, longest - number % 7, memory_bytes=100) for number in range(1, 400)),
    ]
    items = [items[1], *items[0:1], *items[2:]]  # one small one runs first

    done = ran(items)

    settled = [each["item"] for each in done.crew.notes.named("item settled") if each["state"] is State.DONE]
    before = settled.index("i0000")
    assert before < len(items) / 2
    assert RESERVES_AFTER_S / longest * 40 < before


def test_two_large_items_do_not_keep_small_ones_away() -> None:
    """The second that finds no room is put back for a while; what comes behind it starts."""
    large = [a_job(number, 3000, 20, memory_bytes=3000) for number in range(4)]
    small = [a_job(number, 100, 1, memory_bytes=100) for number in range(4, 24)]

    done = ran([*large, *small])

    settled = [each["item"] for each in done.crew.notes.named("item settled") if each["state"] is State.DONE]
    assert settled[-1] < "i0004"
    assert set(settled[:15]) & {item.item_id for item in small}
    assert done.crew.launcher.most_used_bytes <= BUDGET


def test_the_youngest_is_put_back_when_memory_runs_short() -> None:
    """It needs next time what it had reached, and runs when the other has ended; that is no failure."""
    grows = "use 100; sleep 1; use 2500; sleep 10"
    items = [an_item("a", script=grows), an_item("b", script=f"sleep 0.5; {grows}")]

    async def main(loop: VirtualLoop) -> tuple[Item, Item, RunSummary]:
        crew = Crew(loop, budget=Budget(BUDGET, MANY_CPUS), share_bytes=1000)
        await crew.store.create(shards=1)
        await crew.store.add(items)
        summary = await crew.pilot().run()
        return await crew.store.read("a"), await crew.store.read("b"), summary

    first, second, summary = run(main)

    assert summary.settled[State.DONE] == 2
    assert [each.failures + each.crashes for each in (first, second)] == [0, 0]
    assert sorted(each.interruptions for each in (first, second)) == [0, 1]
    assert sorted(each.memory_need_bytes for each in (first, second)) == [0, 2500]


def test_items_take_as_many_cpus_as_they_say() -> None:
    """As many as their column `Cpus`; one that asks for more than there are runs alone."""
    items = [a_job(number, 1, 10, cpus=cpus, memory_bytes=1) for number, cpus in enumerate([2, 2, 2, 4, 9])]

    done = ran(items, slots=4, cpus=4)

    assert done.summary.settled[State.DONE] == len(items)
    assert done.crew.launcher.most_running == 2
    assert done.seconds == pytest.approx(40, abs=10)


def test_a_drained_worker_puts_back_what_waits() -> None:
    """It ends when what runs has ended."""

    async def main(loop: VirtualLoop) -> tuple[RunSummary, Item, float]:
        crew = Crew(loop, budget=Budget(BUDGET, MANY_CPUS), share_bytes=1)
        await crew.store.create(shards=1)
        await crew.store.add([a_job(number, 3000, 30, memory_bytes=3000) for number in range(2)])
        loop.call_later(10, crew.stop.request, Level.DRAIN, "a test")
        return await crew.pilot().run(), await crew.store.read("i0001"), loop.time()

    summary, waited, ended_s = run(main)

    assert (summary.settled[State.DONE], summary.put_back) == (1, 1)
    assert (waited.state, waited.failures) == (State.TODO, 0)
    assert ended_s < timedelta(seconds=40).total_seconds()


def test_without_needs_everything_starts_at_once() -> None:
    """A budget costs tasks nothing that share it equally before anything is known."""
    done = ran([a_job(number, 1, 10) for number in range(50)], slots=50, share=BUDGET // 50)

    assert done.seconds == pytest.approx(10, abs=1)


def test_large_items_that_run_for_long_do_not_stop_small_ones() -> None:
    """What was refused is no reason to claim nothing more until something ends, which may take days."""
    large = [a_job(number, 3000, 5000, memory_bytes=3000) for number in range(3)]
    small = [a_job(number, 100, 1, memory_bytes=100) for number in range(3, 13)]

    async def main(loop: VirtualLoop) -> list[State]:
        crew = Crew(loop, slots=100, budget=Budget(BUDGET, MANY_CPUS), share_bytes=1000)
        await crew.store.create(shards=1)
        await crew.store.add([*large, *small])
        loop.call_later(100, crew.stop.request, Level.NOW, "a test")
        await crew.pilot().run()
        return [(await crew.store.read(item.item_id)).state for item in small]

    assert set(run(main)) == {State.DONE}


def test_a_peak_that_is_unknown_counts_as_what_it_did_not_exceed() -> None:
    """So others like it get no less than they need, and many that end at once may run at a time."""
    room = Room(Budget(BUDGET, MANY_CPUS), nests=1, share_bytes=BUDGET // 4, monotonic=lambda: 0.0)
    item = transitions.claim(an_item("a"), worker="w", token="t", now=NOON)
    ended = replace(a_record(Succeeded(), item), max_rss_bytes=None, at_most_bytes=40)

    before = room.places(100)
    for _ in range(3):
        room.observe(item, ended)

    assert (before, room.places(100)) == (4, BUDGET // 44)

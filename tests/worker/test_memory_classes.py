"""Workers of two sizes on one table: what is too large for one is left to the other."""

from __future__ import annotations

from datetime import datetime

import pytest

from pyanamo_async.app.bootstrap import exit_status
from pyanamo_async.core import transitions
from pyanamo_async.core.failure_policy import FailurePolicy
from pyanamo_async.core.items import Item, State
from pyanamo_async.core.memory.admission import NO_LIMIT, Budget
from pyanamo_async.core.memory.classes import CLASSES, class_beyond, class_of, largest_class
from pyanamo_async.core.memory.placing import placed
from pyanamo_async.core.outcomes import OutOfMemory
from pyanamo_async.core.text.byte_sizes import GIB
from pyanamo_async.core.values import replace
from pyanamo_async.store.memory import MemoryStore
from pyanamo_async.worker.run_summary import RunSummary
from simulation.crew import Crew
from simulation.virtual_time import VirtualLoop, run
from tests.contract.steps import a_record
from tests.fakes import NOON, an_item

SMALL, LARGE = 8, 64  # GiB


def crew(name: str, gib: int, store: MemoryStore, loop: VirtualLoop) -> Crew:
    """Put a worker of a size together."""
    return Crew(loop, name=name, store=store, budget=Budget(gib * GIB, NO_LIMIT.cpus), is_sampled=False)


def test_a_run_that_leaves_only_items_too_large_for_it_says_so() -> None:
    """It claims each once, puts it into its class, does all else, and ends with a status of its own."""

    async def scenario(loop: VirtualLoop) -> tuple[RunSummary, list[Item]]:
        store = MemoryStore()
        await store.create(shards=4)
        await store.add([an_item(f"large-{number}", memory_bytes=50 * GIB) for number in range(3)])
        await store.add([an_item("small", memory_bytes=GIB), an_item("any")])
        first = await crew("w1", SMALL, store, loop).pilot().run()
        assert first.settled[State.DONE] == 2
        again = await crew("w2", SMALL, store, loop).pilot().run()
        return again, [item async for item in store.items() if item.state is State.TODO]

    summary, left = run(scenario)

    assert [(item.memory_class, item.attempt) for item in left] == [(64, 1)] * 3
    assert "it needs 50 GB of memory" in left[0].reason
    assert summary.out_of_reach == 3
    assert exit_status(summary, exit_zero=True) == 4


def test_two_sizes_of_worker_finish_everything() -> None:
    """The small one leaves the large items to the large one, and need not say so while that one lives."""

    async def scenario(loop: VirtualLoop) -> tuple[RunSummary, RunSummary]:
        store = MemoryStore()
        await store.create(shards=4)
        await store.add([an_item(f"large-{number}", script="sleep 9", memory_bytes=50 * GIB) for number in range(3)])
        large, small = crew("large", LARGE, store.another(), loop), crew("small", SMALL, store, loop)
        await large.register()
        ended = await small.pilot().run()
        return ended, await large.pilot().run()

    small, large = run(scenario)

    assert (small.out_of_reach, large.out_of_reach) == (0, 0)
    assert not small.settled
    assert large.settled[State.DONE] == 3


class Announced(MemoryStore):
    """A table in memory that knows how often it was notified that items came."""

    notified = 0

    async def notify(self, *, now: datetime) -> None:  # noqa: ARG002 - whenever
        self.notified += 1


@pytest.mark.parametrize(("need_gib", "notified"), [(50, 1), (1, 0)])
def test_what_is_left_to_larger_workers_is_notified(need_gib: int, notified: int) -> None:
    """Once for what was claimed together: one that waits believes for more than a minute that their lane is empty."""

    async def scenario(loop: VirtualLoop) -> int:
        store = Announced()
        await store.create(shards=4)
        await store.add([an_item(f"{number}", memory_bytes=need_gib * GIB) for number in range(2)])
        await crew("small", SMALL, store, loop).pilot().run()
        return store.notified

    assert run(scenario) == notified


def test_what_turns_out_to_need_a_larger_worker_is_notified() -> None:
    """One that ran out of memory although it ran alone."""

    async def scenario(loop: VirtualLoop) -> tuple[int, Item]:
        store = Announced()
        await store.create(shards=4)
        await store.add([an_item("a", script=f"use {7 * GIB};out of memory")])
        await crew("small", SMALL, store, loop).pilot().run()
        return store.notified, await store.read("a")

    notified, item = run(scenario)

    assert (item.memory_class, notified) == (16, 1)


@pytest.mark.parametrize("gib", [0.5, 7.5, 30.4, 60.8, 114])
def test_what_fits_a_budget_is_never_left_to_others(gib: float) -> None:
    """And what is left to others is of a class that this worker does not take."""
    budget = round(gib * GIB)

    assert class_beyond(budget, budget) == 0
    for each in CLASSES[:-1]:
        beyond = class_beyond(each * GIB, budget)
        assert beyond in {0, each}
        assert (beyond == 0) == (each <= largest_class(budget) or each <= gib)
        assert largest_class(each * GIB) == each == class_of(each * GIB) == class_of(each * GIB - 1)


def test_what_ran_out_asks_for_no_more_than_the_largest_living_worker_takes() -> None:
    """Twice what it had is a guess: a fleet whose largest machine is a little smaller is worth a try."""

    async def scenario(loop: VirtualLoop) -> tuple[Item, RunSummary]:
        store = MemoryStore()
        await store.create(shards=4)
        await store.add([an_item("a", script=f"use {7 * GIB};out of memory")])
        small, middle = crew("small", SMALL, store, loop), crew("middle", 11, store.another(), loop)
        await middle.register()
        await small.pilot().run()
        return await store.read("a"), await middle.pilot().run()

    item, ended = run(scenario)

    assert (item.memory_class, item.memory_need_bytes) == (12, 11 * GIB)
    assert ended.settled[State.TODO] == 1  # it was tried there, and ran out of memory again


@pytest.mark.parametrize(
    ("largest_gib", "memory_class", "need_gib"),
    [(None, 64, 60), (32, 64, 60), (33, 64, 60), (45, 48, 45), (50, 48, 48), (60, 64, 60), (500, 64, 60)],
)
def test_only_a_larger_worker_bounds_what_an_item_asks_for(
    largest_gib: int | None, memory_class: int, need_gib: int
) -> None:
    """And it takes the class in which the item then waits."""
    after = _ran_out(an_item("a"), had_gib=30, alone=True, largest_gib=largest_gib)

    assert (after.memory_class, after.memory_need_bytes) == (memory_class, need_gib * GIB)


def _ran_out(
    item: Item, *, had_gib: int, alone: bool, nests: int = 1, budget_gib: int = 32, largest_gib: int | None = None
) -> Item:
    claimed = transitions.claim(item, worker="w", token="t", now=NOON)
    record = replace(a_record(OutOfMemory(), claimed), max_rss_bytes=had_gib * GIB)
    results = {task.name: record for task in claimed.todo}
    policy = FailurePolicy()
    after = transitions.settle(claimed, results, interrupted_by=None, now=NOON, policy=policy, jitter=0)
    largest_bytes = None if largest_gib is None else largest_gib * GIB
    return placed(claimed, after, budget_gib * GIB, nests=nests, was_alone=alone, largest_bytes=largest_bytes)


def test_what_ran_out_of_memory_beside_others_is_tried_alone_first() -> None:
    """It then needs all that its worker has; what ran out alone goes to the class of twice what it had."""
    first = _ran_out(an_item("a"), had_gib=20, alone=False)
    second = _ran_out(first, had_gib=30, alone=True)

    assert (first.memory_class, first.memory_need_bytes) == (0, 32 * GIB)
    assert (second.memory_class, second.state) == (64, State.TODO)


def test_tasks_that_run_out_together_go_to_a_larger_worker() -> None:
    """Each is small, and together they are more than their worker has: twice each would never be too large."""
    after = _ran_out(an_item("a", nested=["x"] * 8), had_gib=4, alone=True, nests=8)

    assert after.memory_class == 48

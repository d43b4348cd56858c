"""Workers that halt because too much fails. Fake scripts, virtual time."""

from __future__ import annotations

import asyncio

import pytest

from pyanamo_async.app.bootstrap import OUR_FAILURE, exit_status
from pyanamo_async.core.failure_policy import FailurePolicy
from pyanamo_async.core.halting import parse_failed_limit
from pyanamo_async.core.items import State
from pyanamo_async.core.workers import Desired
from pyanamo_async.store.memory import MemoryStore
from simulation.crew import Crew
from simulation.virtual_time import VirtualLoop, run
from tests.fakes import an_item

ONCE = FailurePolicy(max_failures=1)


async def a_table(*scripts: str) -> MemoryStore:
    """Return a table with an item for each script."""
    store = MemoryStore()
    await store.create(shards=1)
    await store.add([an_item(f"i{number:03}", script=script) for number, script in enumerate(scripts)])
    return store


def test_a_broken_host_stops_itself_and_buries_no_table() -> None:
    """After so many failures it claims nothing more; another worker finds the rest, and this one's row says why."""

    async def main(loop: VirtualLoop) -> None:
        store = await a_table(*["exit 127"] * 50)
        crew = Crew(loop, store=store, policy=ONCE, slots=1, halt_after=5)
        summary = await crew.pilot().run()
        [row] = await store.workers()

        assert (summary.settled[State.FAILED], summary.work_left) == (5, True)
        assert summary.trouble.startswith("halted after 5 failures in a row")
        assert exit_status(summary, exit_zero=True) == OUR_FAILURE
        assert row.stopped_by.startswith("halted after 5 failures in a row, the last: i")
        assert row.stopped_by.endswith("exit status 127")

    run(main)


def test_a_success_lets_a_worker_go_on() -> None:
    """Whatever fails beside it."""

    async def main(loop: VirtualLoop) -> None:
        store = await a_table(*["exit 1", "exit 1", "exit 0"] * 10)
        summary = await Crew(loop, store=store, policy=ONCE, slots=1, halt_after=5).pilot().run()

        assert (summary.settled, summary.errors) == ({State.FAILED: 20, State.DONE: 10}, 0)

    run(main)


def test_a_worker_that_halts_ends_nothing_that_runs() -> None:
    """It drains: what runs comes to its own end, and may still succeed."""

    async def main(loop: VirtualLoop) -> None:
        store = await a_table("sleep 500", *["exit 1"] * 9)
        summary = await Crew(loop, store=store, policy=ONCE, slots=2, halt_after=3).pilot().run()

        assert summary.settled == {State.DONE: 1, State.FAILED: 3}
        assert (await store.read("i000")).state is State.DONE

    run(main)


def test_a_nested_item_of_a_worker_that_halts_starts_no_further_task() -> None:
    """Its thousands of tasks would all fail; what was done stays done, and the rest goes back without a failure."""

    async def main(loop: VirtualLoop) -> None:
        store = MemoryStore()
        await store.create(shards=1)
        await store.add([an_item("n", nested=["exit 0", *["exit 1"] * 50])])
        crew = Crew(loop, store=store, halt_after=4)
        summary = await crew.pilot().run()
        item = await store.read("n")

        assert (item.state, item.tasks_done, item.interruptions) == (State.TODO, 1, 1)
        assert sum(task.failures for task in item.tasks) == 4
        assert "too much failed on this worker" in item.reason
        assert summary.errors == 1
        assert sum(crew.launcher.started.values()) == 5

    run(main)


@pytest.mark.parametrize("limit", ["6", "10%"])
def test_too_many_failed_items_drain_all_workers(limit: str) -> None:
    """The one that finds it exits with 1 and says why; others, even without the flag, are ordered to drain."""

    async def main(loop: VirtualLoop) -> None:
        store = await a_table(*["exit 1"] * 12, *["sleep 30"] * 48)
        finder = Crew(loop, name="finder", store=store, policy=ONCE, slots=1, max_failed=limit)
        other = Crew(loop, name="other", store=store, policy=ONCE, slots=1)
        summary, beside = await asyncio.gather(finder.pilot().run(), other.pilot().run())
        rows = {row.worker_id: row for row in await store.workers()}

        assert exit_status(summary, exit_zero=False) == OUR_FAILURE
        assert rows["finder"].stopped_by.startswith("halted: ")
        assert (rows["other"].desired, rows["other"].stopped_by) == (Desired.DRAIN, "ordered to drain")
        assert (await store.counts()).items[State.TODO] > 30
        assert beside.errors == 0

    run(main)


def test_a_worker_that_starts_when_too_many_are_failed_claims_nothing() -> None:
    """It is started again by a scheduler that knows nothing of it."""

    async def main(loop: VirtualLoop) -> None:
        store = await a_table("exit 1", "exit 1", "exit 0")
        await Crew(loop, name="first", store=store, policy=ONCE, slots=1, max_failed="1").pilot().run()
        late = Crew(loop, name="late", store=store, policy=ONCE, max_failed="1")
        summary = await late.pilot().run()

        assert (summary.errors, summary.settled, late.launcher.started) == (1, {}, {})

    run(main)


@pytest.mark.parametrize(("limit", "before"), [("5", 0), ("20", 11), ("10%", 0), ("50%", 11)])
def test_items_that_fail_fast_are_stopped_at_the_limit(limit: str, before: int) -> None:
    """However many are failed already: a broken host fails a table within one heartbeat."""

    async def main(loop: VirtualLoop) -> None:
        store = await a_table(*["exit 1"] * 60)
        if before:
            await Crew(loop, name="earlier", store=store, policy=ONCE, slots=1, halt_after=before).pilot().run()
        summary = await Crew(loop, store=store, policy=ONCE, slots=1, max_failed=limit).pilot().run()
        failed, most = (await store.counts()).items[State.FAILED], parse_failed_limit(limit).least(60)

        assert exit_status(summary, exit_zero=False) == OUR_FAILURE
        assert most <= failed <= most + 2

    run(main)


def test_workers_that_fail_fast_together_stop_soon_after_the_limit() -> None:
    """Each looks when as much failed there as before its last look; a long table costs each no more looks than that."""

    class Watched(MemoryStore):
        looks = 0

        async def summaries(self, **which):  # type: ignore[no-untyped-def] # noqa: ANN003, ANN202
            self.looks += 1
            async for each in super().summaries(**which):
                yield each

    async def main(loop: VirtualLoop) -> None:
        store, workers, limit = Watched(), 10, 100
        await store.create(shards=1)
        await store.add([an_item(f"i{number:04}", script="exit 1") for number in range(1500)])
        crews = [
            Crew(loop, name=f"w{n}", store=store, policy=ONCE, slots=1, max_failed=str(limit)) for n in range(workers)
        ]
        await asyncio.gather(*(crew.pilot().run() for crew in crews))

        assert limit <= (await store.counts()).items[State.FAILED] < 2 * limit
        assert store.looks < workers * 2 * 8

    run(main)


def test_nothing_is_counted_while_nothing_fails() -> None:
    """Counting a large table costs money."""

    class Counting(MemoryStore):
        counted = 0

        async def counts(self, **times):  # type: ignore[no-untyped-def] # noqa: ANN003, ANN202
            self.counted += 1
            return await super().counts(**times)

    async def main(loop: VirtualLoop) -> None:
        store = Counting()
        await store.create(shards=1)
        await store.add([an_item(f"i{number}") for number in range(9)])
        await Crew(loop, store=store, max_failed="5%").pilot().run()

        assert store.counted == 0

    run(main)

"""The laws of the pilot loop, with fake scripts on virtual time."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from pyanamo_async.core.failure_policy import FailurePolicy
from pyanamo_async.core.items import State
from pyanamo_async.core.orders import reset
from pyanamo_async.fleet.going_home import IdlePolicy
from pyanamo_async.worker.run_summary import RunSummary
from pyanamo_async.worker.stop import Level
from simulation.crew import Crew
from simulation.virtual_time import NOON, VirtualLoop, run
from tests.fakes import an_item


async def _work(crew: Crew, *items: object) -> RunSummary:
    await crew.store.create(shards=1)
    await crew.store.add(items)  # type: ignore[arg-type]
    return await crew.pilot().run()


def test_every_item_is_run_once_and_done() -> None:
    """A worker runs until nothing is claimable, each item once."""

    async def main(loop: VirtualLoop) -> None:
        crew = Crew(loop, slots=4)
        tally = await _work(crew, *(an_item(f"i{n}", script="sleep 1") for n in range(50)))

        assert tally.settled == {State.DONE: 50}
        assert set(crew.launcher.started.values()) == {1}
        assert not tally.work_left

    run(main)


def test_workers_that_are_staggered_claim_at_random_times() -> None:
    """Each waits another part of the time before its first claim."""

    async def main(loop: VirtualLoop) -> None:
        began = []
        for seed in range(20):
            start = loop.time()
            crew = Crew(loop, seed=seed, stagger_s=600)
            await _work(crew, an_item("x", script="exit 0"))
            began.append(loop.time() - start)

        assert min(began) < 100
        assert 500 < max(began) < 602
        assert len({round(each) for each in began}) > 15

    run(main)


def test_a_stop_ends_the_wait_of_a_staggered_worker() -> None:
    """It has claimed nothing, and says that work is left."""

    async def main(loop: VirtualLoop) -> None:
        crew = Crew(loop, stagger_s=3600)
        loop.call_later(1, crew.stop.request, Level.STOP, "SIGTERM")
        tally = await _work(crew, an_item("x"))

        assert loop.time() == pytest.approx(1, abs=0.5)
        assert (tally.settled, tally.work_left) == ({}, True)
        assert (await crew.store.read("x")).attempt == 0

    run(main)


@pytest.mark.parametrize("slots", [1, 3, 8])
def test_slot_before_claim(slots: int) -> None:
    """No more scripts run, and no more items are locked by running ones, than there are slots."""

    async def main(loop: VirtualLoop) -> None:
        crew = Crew(loop, slots=slots)
        await _work(crew, *(an_item(f"i{n}", script="sleep 1") for n in range(20)))

        assert crew.launcher.most_running == slots
        assert loop.time() == pytest.approx(-(-20 // slots), rel=0.3)

    run(main)


def test_nested_tasks_run_as_many_at_a_time_as_nests() -> None:
    """One nested item runs `nests` of its tasks at a time."""

    async def main(loop: VirtualLoop) -> None:
        crew = Crew(loop, slots=1, nests=3)
        tally = await _work(crew, an_item("n", nested=["sleep 1"] * 9))

        assert tally.settled == {State.DONE: 1}
        assert crew.launcher.most_running == 3
        assert loop.time() == pytest.approx(3, abs=0.5)

    run(main)


def test_failures_are_retried_with_backoff_then_buried() -> None:
    """A script that fails for good runs `max_failures` times, then its item is failed and says why."""

    async def main(loop: VirtualLoop) -> None:
        crew = Crew(loop)
        tally = await _work(crew, an_item("bad", script="exit 3"), an_item("good"))
        bad = await crew.store.read("bad")

        assert crew.launcher.started["bad"] == 3
        assert tally.settled == {State.DONE: 1, State.TODO: 2, State.FAILED: 1}
        assert bad.reason == "attempt 3: exit status 3"
        assert bad.history == ("attempt 1: exit status 3", "attempt 2: exit status 3")

    run(main)


def test_only_failed_tasks_of_a_nested_item_run_again() -> None:
    """Progress on any task is never lost."""

    async def main(loop: VirtualLoop) -> None:
        crew = Crew(loop)
        tally = await _work(crew, an_item("n", nested=["true", "exit 1", "true"]))
        item = await crew.store.read("n")

        assert tally.settled[State.FAILED] == 1
        assert crew.launcher.started["n"] == 5
        assert [task.attempts for task in item.tasks] == [1, 3, 1]

    run(main)


def test_a_script_that_cannot_start_is_a_failure_with_its_reason() -> None:
    """What cannot be started is recorded like what fails."""

    async def main(loop: VirtualLoop) -> None:
        crew = Crew(loop, policy=FailurePolicy(max_failures=1))
        await _work(crew, an_item("x", script="cannot start"))

        assert (await crew.store.read("x")).reason == "attempt 1: no such shell"

    run(main)


def test_timeout_ends_a_script_and_counts_as_failure() -> None:
    """A script that runs longer than its limit gets TERM, and its item a failure."""

    async def main(loop: VirtualLoop) -> None:
        crew = Crew(loop, policy=FailurePolicy(max_failures=1), timeout=timedelta(seconds=3))
        await _work(crew, an_item("slow", script="sleep 100"), an_item("own", script="sleep 5", timeout=timedelta(10)))

        assert "longer than its limit of 3 s" in (await crew.store.read("slow")).reason
        assert (await crew.store.read("own")).state is State.DONE

    run(main)


def test_drain_never_ends_an_attempt() -> None:
    """After an order to drain nothing is claimed, and what runs comes to its end."""

    async def main(loop: VirtualLoop) -> None:
        crew = Crew(loop, slots=2)
        loop.call_later(1, crew.stop.request, Level.DRAIN, "test")
        tally = await _work(crew, *(an_item(f"i{n}", script="sleep 500") for n in range(4)))

        assert tally.settled == {State.DONE: 2}
        assert tally.work_left

    run(main)


def test_stop_gives_grace_then_term_then_kill_and_releases_claims() -> None:
    """What runs out its grace is ended, deaf or not, and its item is todo again without a failure."""

    async def main(loop: VirtualLoop) -> None:
        crew = Crew(loop, slots=3, grace_s=20)
        loop.call_later(1, crew.stop.request, Level.STOP, "SIGTERM")
        scripts = {"short": "sleep 10", "long": "sleep 500", "deaf": "ignore TERM;sleep 500"}
        tally = await _work(crew, *(an_item(name, script=script) for name, script in scripts.items()))
        deaf = await crew.store.read("deaf")

        assert tally.settled == {State.DONE: 1, State.TODO: 2}
        assert loop.time() == pytest.approx(1 + 20 + 5, abs=0.5)
        assert (deaf.state, deaf.failures, deaf.interruptions) == (State.TODO, 0, 1)
        assert tally.work_left

    run(main)


def test_second_signal_means_now() -> None:
    """The second signal leaves out grace and TERM."""

    async def main(loop: VirtualLoop) -> None:
        crew = Crew(loop)
        loop.call_later(1, crew.stop.signalled, "SIGINT")
        loop.call_later(2, crew.stop.signalled, "SIGINT")
        tally = await _work(crew, an_item("deaf", script="ignore TERM;sleep 500"))

        assert loop.time() == pytest.approx(2, abs=0.1)
        assert tally.settled == {State.TODO: 1}

    run(main)


def test_wall_time_starts_nothing_that_is_not_expected_to_fit() -> None:
    """With durations known, nothing is killed at the end of the wall time; the rest is left."""

    async def main(loop: VirtualLoop) -> None:
        crew = Crew(loop, slots=2, wall_s=7)
        tally = await _work(crew, *(an_item(f"i{n}", script="sleep 2") for n in range(20)))

        assert tally.settled == {State.DONE: 6}
        assert tally.work_left
        assert loop.time() <= 7

    run(main)


def test_wall_time_ends_what_still_runs_and_a_nested_item_keeps_its_finished_tasks() -> None:
    """A nested item cut off by the wall time keeps what is done and is taken up again after todo is empty."""

    async def main(loop: VirtualLoop) -> None:
        crew = Crew(loop, slots=1, wall_s=60)
        tally = await _work(crew, an_item("n", nested=["sleep 1"] * 3 + ["sleep 500"]))
        left = await crew.store.read("n")
        registered = Crew(loop, name="w2", store=crew.store)
        await registered.pilot().run()

        assert tally.settled == {State.WALL_TIME_EXCEEDED: 1}
        assert loop.time() < 60 + 502
        assert left.tasks_done == 3
        assert registered.launcher.started["n"] == 1
        assert (await crew.store.read("n")).state is State.DONE

    run(main)


def test_wait_keeps_polling_until_idle_exit() -> None:
    """With `idle_exit` a worker waits for new work that long after the last, and takes what comes."""

    async def main(loop: VirtualLoop) -> None:
        crew = Crew(loop, idle_policy=IdlePolicy(wait=True, idle_exit=timedelta(seconds=100)))

        async def later() -> None:
            await crew.store.add([an_item("late")])

        loop.call_later(60, lambda: loop.create_task(later()))
        tally = await _work(crew, an_item("first"))

        assert tally.settled == {State.DONE: 2}
        assert 160 <= loop.time() <= 160 + 40

    run(main)


def test_items_of_a_vanished_worker_are_reclaimed_and_run() -> None:
    """Others suspect a silent worker, watch it, take its items and finish them."""

    async def main(loop: VirtualLoop) -> None:
        ghost, crew = Crew(loop, name="ghost"), Crew(loop, idle_policy=IdlePolicy(wait=True, idle_exit=timedelta(300)))
        crew.store = ghost.store
        await crew.store.create(shards=1)
        await crew.store.add([an_item("x")])
        await ghost.register()
        await crew.store.claim("ghost", limit=1, now=NOON)
        loop.call_later(60 + 130 + 3 * 20, crew.stop.request, Level.DRAIN, "enough")
        await crew.pilot().run()
        item = await crew.store.read("x")

        assert (item.state, item.crashes, item.attempt) == (State.DONE, 1, 2)
        assert item.history == ("attempt 1: its worker ghost vanished",)

    run(main)


def test_an_order_ends_one_claim_and_holds_its_item() -> None:
    """With the next heartbeat; its neighbours run on, and what is ordered of claims it does not have is withdrawn."""

    async def main(loop: VirtualLoop) -> None:
        crew = Crew(loop, slots=2, idle_policy=IdlePolicy(wait=True))
        await crew.store.create(shards=1)
        await crew.store.add([an_item("a", script="sleep 600"), an_item("b", script="sleep 60")])
        working = asyncio.create_task(crew.pilot().run())
        await asyncio.sleep(5)
        held = await crew.store.read("a")
        await crew.store.order_release("w1", [held.token, "unknown"])
        await asyncio.sleep(30)

        item = await crew.store.read("a")
        assert (item.state, item.reason, item.interruptions) == (State.PENDING, "attempt 1: interrupted: order", 1)
        assert (await crew.store.read("b")).state is State.LOCKED
        await asyncio.sleep(90)
        assert (await crew.store.read("b")).state is State.DONE
        me = (await crew.store.workers())[0]
        assert (await crew.store.heartbeat(me)).release == frozenset()
        crew.stop.request(Level.DRAIN, "")
        assert (await working).settled == {State.PENDING: 1, State.DONE: 1}

    run(main)


@pytest.mark.parametrize(("is_killed", "state"), [(False, State.DONE), (True, State.PENDING)])
def test_a_worker_waits_for_what_it_let_go_by_order(*, is_killed: bool, state: State) -> None:
    """It may be the last one, and go home only when the order is carried out, or when its command was killed."""

    async def main(loop: VirtualLoop) -> None:
        crew = Crew(loop)
        await crew.store.create(shards=1)
        await crew.store.add([an_item("a", script="sleep 600")])
        working = asyncio.create_task(crew.pilot().run())
        await asyncio.sleep(5)
        await crew.store.order_release("w1", [(await crew.store.read("a")).token])
        await asyncio.sleep(40)
        held = await crew.store.read("a")
        assert (held.state, working.done()) == (State.PENDING, False)
        if not is_killed:
            await crew.store.save(held, reset(held, all_tasks=True, token="order"))
            await crew.store.notify(now=NOON)
        await working

        assert (await crew.store.read("a")).state is state

    run(main)

"""Attempts whose script does not come to start: a program on a folder that is away. Fake scripts, virtual time."""

from __future__ import annotations

import signal
from datetime import timedelta

import pytest

from pyanamo_async.core.failure_policy import FailurePolicy
from pyanamo_async.core.items import State
from pyanamo_async.core.workers import Orders, Worker
from pyanamo_async.errors import LaunchRefused, Unavailable
from pyanamo_async.ports import Command, Receiver
from pyanamo_async.store.memory import MemoryStore
from pyanamo_async.worker.run_summary import RunSummary
from pyanamo_async.worker.stop import Level
from simulation.crew import Crew
from simulation.fake_launcher import FakeLauncher, FakeProcess
from simulation.virtual_time import VirtualLoop, run
from tests.fakes import an_item

NEVER = "starts after 1000000"


class RefusingLauncher(FakeLauncher):
    """Starts nothing."""

    async def start(self, command: Command, *, stdout: Receiver, stderr: Receiver) -> FakeProcess:  # noqa: ARG002
        raise LaunchRefused("no descriptor is left")


async def _work(crew: Crew, script: str) -> RunSummary:
    await crew.store.create(shards=1)
    await crew.store.add([an_item("x", script=script)])
    return await crew.pilot().run()


def test_a_stop_gets_through_to_a_start_that_hangs() -> None:
    """After the grace and a second more the item is back, without a failure, as if it had run."""

    async def main(loop: VirtualLoop) -> None:
        crew = Crew(loop, grace_s=20)
        loop.call_later(1, crew.stop.request, Level.STOP, "SIGTERM")
        tally = await _work(crew, NEVER)
        item = await crew.store.read("x")

        assert loop.time() == pytest.approx(1 + 20 + 1, abs=0.5)
        assert (tally.settled, tally.work_left) == ({State.TODO: 1}, True)
        assert (item.failures, item.interruptions) == (0, 1)

    run(main)


def test_why_a_machine_starts_nothing_is_said() -> None:
    """In the log at the first attempt, and in the row, for whoever asks the table."""

    async def main(loop: VirtualLoop) -> None:
        crew = Crew(loop, launcher=RefusingLauncher())
        loop.call_later(1, crew.stop.request, Level.STOP, "SIGTERM")
        await _work(crew, "exit 0")

        assert crew.notes.named("script not started")[0] == {"item": "x", "trouble": "no descriptor is left"}
        assert (await crew.store.read("x")).reason.endswith(": not started: no descriptor is left")

    run(main)


def test_a_second_signal_means_now_for_a_start_that_hangs() -> None:
    """Neither grace nor that second, also where the second runs."""

    async def main(loop: VirtualLoop) -> None:
        crew = Crew(loop, grace_s=1)
        loop.call_later(1, crew.stop.signalled, "SIGINT")
        loop.call_later(2.5, crew.stop.signalled, "SIGINT")
        tally = await _work(crew, NEVER)

        assert loop.time() == pytest.approx(2.5, abs=0.1)
        assert tally.settled == {State.TODO: 1}

    run(main)


def test_the_limit_of_a_task_holds_for_its_start() -> None:
    """A start that takes longer than the task may is a failure like any that ran out of time."""

    async def main(loop: VirtualLoop) -> None:
        crew = Crew(loop, policy=FailurePolicy(max_failures=1), timeout=timedelta(seconds=3))
        await _work(crew, NEVER)

        assert "longer than its limit of 3 s" in (await crew.store.read("x")).reason

    run(main)


def test_the_wall_time_gets_through_to_a_start_that_hangs() -> None:
    """Its item becomes one that the wall time ended."""

    async def main(loop: VirtualLoop) -> None:
        crew = Crew(loop, wall_s=100)
        await _work(crew, NEVER)

        assert loop.time() < 100
        assert (await crew.store.read("x")).state is State.WALL_TIME_EXCEEDED

    run(main)


class _CutOff(MemoryStore):
    """Answers no heartbeat but the first."""

    async def heartbeat(self, worker: Worker, *, registered: bool = False) -> Orders:
        if registered:
            raise Unavailable("no answer")
        return await super().heartbeat(worker)


def test_a_fence_gets_through_to_a_start_that_hangs() -> None:
    """At once, and nothing is written."""

    async def main(loop: VirtualLoop) -> None:
        crew = Crew(loop, store=_CutOff(), lease_s=180)
        tally = await _work(crew, NEVER)

        assert loop.time() == pytest.approx(120, abs=1)
        assert (tally.lost, tally.settled) == (1, {})

    run(main)


def test_a_start_that_is_only_slow_is_not_cut_short() -> None:
    """Whoever starts within a second of its end gets TERM, as everybody does."""

    async def main(loop: VirtualLoop) -> None:
        crew = Crew(loop, grace_s=0)
        loop.call_later(0.1, crew.stop.request, Level.STOP, "SIGTERM")
        await _work(crew, "starts after 0.6;sleep 500")
        [process] = crew.launcher.processes

        assert process.signals[0] == signal.SIGTERM
        assert (await crew.store.read("x")).interruptions == 1

    run(main)

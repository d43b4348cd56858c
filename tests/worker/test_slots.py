"""The numbers of slots, and what scripts are told of them and of their sample."""

from __future__ import annotations

from collections import defaultdict

import pytest

from pyanamo_async.ports import Command, Receiver
from simulation.crew import Crew
from simulation.fake_launcher import FakeLauncher, FakeProcess
from simulation.virtual_time import VirtualLoop, run
from tests.fakes import an_item


class _Watching(FakeLauncher):
    """Remembers each script's environment, and which slots ran at the same time."""

    def __init__(self) -> None:
        super().__init__()
        self.environments: list[dict[str, str]] = []
        self.by_slot: defaultdict[str, list[FakeProcess]] = defaultdict(list)

    async def start(self, command: Command, *, stdout: Receiver, stderr: Receiver) -> FakeProcess:
        slot = command.env["PYANAMO_SLOT"]
        assert all(process._exit.done() for process in self.by_slot[slot])
        process = await super().start(command, stdout=stdout, stderr=stderr)
        self.by_slot[slot].append(process)
        self.environments.append(dict(command.env))
        return process


@pytest.mark.parametrize(("slots", "nests"), [(1, 1), (3, 1), (2, 3)])
def test_no_two_scripts_at_a_time_have_the_same_slot(slots: int, nests: int) -> None:
    """From 0 to one less than what may run at the same time; each number is used."""

    async def main(loop: VirtualLoop) -> None:
        crew = Crew(loop, slots=slots, nests=nests, launcher=_Watching())
        await crew.store.create(shards=1)
        scripts = [f"sleep {0.1 * number}" for number in range(1, 8)]
        await crew.store.add([an_item(f"i{number}", nested=scripts) for number in range(6)])
        await crew.pilot().run()

        assert sorted(crew.launcher.by_slot) == [str(number) for number in range(slots * nests)]  # type: ignore[attr-defined]

    run(main)


def test_scripts_are_told_their_sample() -> None:
    """By the name of the field, and by the one that the original uses."""

    async def main(loop: VirtualLoop) -> None:
        crew = Crew(loop, launcher=_Watching())
        await crew.store.create(shards=1)
        await crew.store.add([an_item("a", sample="NA12878")])
        await crew.pilot().run()

        [environment] = crew.launcher.environments  # type: ignore[attr-defined]
        assert environment["PYANAMO_SAMPLE"] == environment["PYANAMO_TASK_ID"] == "NA12878"

    run(main)


def test_the_lowest_free_slot_is_taken_first() -> None:
    """So that a worker with little to do uses few of what belongs to slots."""

    async def main(loop: VirtualLoop) -> None:
        crew = Crew(loop, slots=3, launcher=_Watching())
        await crew.store.create(shards=1)
        await crew.store.add([an_item("a", script="sleep 10")])
        loop.call_later(5, lambda: loop.create_task(crew.store.add([an_item("b", script="sleep 1")])))
        await crew.pilot().run()

        assert sorted(crew.launcher.by_slot) == ["0", "1"]  # type: ignore[attr-defined]

    run(main)

"""Checkpoints on a store whose requests arrive late, with zombies and items that are imported again.

Scripts count: their state is a number that only grows, and the mark of the item that it is of.
"""

from __future__ import annotations

import asyncio
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from pyanamo_async.ports import ObjectKey
from pyanamo_async.worker.checkpoints import Checkpoints
from simulation.late_objects import Died, LateObjects, Sender

KEY = ObjectKey("table", "item", "Task_0", "")
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("store"), st.integers(0, 3)),
        st.tuples(st.just("die"), st.integers(0, 6)),
        st.tuples(st.just("lose the claim"), st.just(0)),
        st.tuples(st.just("zombie stores"), st.integers(0, 9)),
        st.tuples(st.just("arrive"), st.integers(0, 9)),
        st.tuples(st.just("import again"), st.just(0)),
    ),
    max_size=25,
)


@dataclass
class Attempt:
    """One attempt: its script's folder, and what it stores there."""

    checkpoints: Checkpoints
    sender: Sender
    folder: Path
    mark: str
    count: int = 0

    async def begin(self) -> None:
        await self.checkpoints.restore()
        if (self.folder / "n").exists():
            mark, count = (self.folder / "n").read_text().split()
            assert mark == self.mark  # never the state of another item
            self.count = int(count)

    async def store(self) -> None:
        """Count on, and store that."""
        self.count += 1
        (self.folder / "new").write_text(f"{self.mark} {self.count}")
        (self.folder / "new").replace(self.folder / "n")
        (self.folder / f"file-{self.count % 3}").write_text("x" * self.count)
        await self.checkpoints.store(seconds=1)


@dataclass
class World:
    """A table with one item, and all attempts at it."""

    root: Path
    objects: LateObjects = field(default_factory=LateObjects)
    number: int = 0
    marks: int = 0
    reported: int = 0  # the latest state that a holder of the claim knew to be stored
    zombies: list[Attempt] = field(default_factory=list)

    async def claim(self) -> Attempt:
        self.number += 1
        folder = self.root / f"{self.marks}-{self.number}" / "checkpoint"
        folder.mkdir(parents=True)
        sender, mark = Sender(self.objects), f"{self.marks:04x}"
        checkpoints = Checkpoints(folder, sender, KEY, attempt=self.number, mark=mark)
        attempt = Attempt(checkpoints, sender, folder, mark)
        await attempt.begin()
        assert attempt.count >= self.reported, "it begins from a state older than one reported stored"
        return attempt

    async def import_again(self) -> None:
        self.marks, self.number, self.reported = self.marks + 1, 0, 0


async def play(steps: list[tuple[str, int]], root: Path) -> None:
    world = World(root)
    holder = await world.claim()
    for what, number in steps:
        match what:
            case "store":
                for _ in range(number):
                    await holder.store()
                    world.reported = holder.count
            case "die":
                holder.sender.requests_left = number
                try:
                    while True:
                        await holder.store()
                        world.reported = holder.count
                except Died:
                    holder = await world.claim()
            case "lose the claim":
                world.zombies.append(holder)
                holder = await world.claim()
            case "zombie stores" if world.zombies:
                await world.zombies[number % len(world.zombies)].store()
            case "arrive":
                world.objects.arrive(number)
            case "import again":
                world.zombies.append(holder)
                await world.import_again()
                holder = await world.claim()


@settings(max_examples=60)
@given(STEPS)
def test_no_schedule_loses_a_state_that_was_reported_stored(steps: list[tuple[str, int]]) -> None:
    """Nor begins from another item's, whoever dies when, and whatever arrives how late."""
    with tempfile.TemporaryDirectory() as root:
        asyncio.run(play(steps, Path(root)))

"""What an attempt aborts when its item has long been settled by another worker."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from pyanamo_async.core.items import Item, State
from pyanamo_async.fleet.reclaim import reclaim_from
from pyanamo_async.host.working_folders import WorkingFolders
from pyanamo_async.outputs.memory import MemoryObjects, MemoryOutputs
from pyanamo_async.ports import ObjectKey, OutputKey, Sink
from pyanamo_async.worker.stop import Level
from simulation.crew import Crew
from simulation.virtual_time import NOON, VirtualLoop, run
from tests.fakes import an_item
from tests.worker.test_keeping import HangingSink, LeavingLauncher, no_threads
from tests.worker.test_output import LONG

__all__ = ["no_threads"]  # a fixture

ABORTED_AFTER_S, SETTLED_WITHIN_S = 100.0, 30.0
SCRIPT = f"print {LONG};exit 0;PYANAMO_RESULTS"


class LateSink(HangingSink):
    """Minutes after it was aborted, what has its name is removed, whichever attempt stored it."""

    def __init__(self, sink: Sink, kept: dict[str, bytes], location: str, aborted: list[str]) -> None:
        super().__init__(sink)
        self._kept, self._location, self._aborted = kept, location, aborted

    async def abort(self) -> None:
        await asyncio.sleep(ABORTED_AFTER_S)
        self._aborted.append(self._location)
        self._kept.pop(self._location, None)


class LateOutputs(MemoryOutputs):
    """Output that is aborted late."""

    def __init__(self, aborted: list[str]) -> None:
        super().__init__()
        self.aborted = aborted

    def open(self, key: OutputKey) -> Sink:
        return LateSink(super().open(key), self.kept, self.location(key), self.aborted)


class LateObjects(MemoryObjects):
    """Files of tasks that are aborted late."""

    def __init__(self, aborted: list[str]) -> None:
        super().__init__()
        self.aborted = aborted

    def open(self, key: ObjectKey) -> Sink:
        return LateSink(super().open(key), self.kept, self.location(key), self.aborted)


@pytest.mark.parametrize("is_fenced", [False, True], ids=["stopped", "fenced"])
def test_a_late_abort_harms_nothing_of_the_attempt_that_settled_the_item(tmp_path: Path, *, is_fenced: bool) -> None:
    """Put back, or taken over: the next attempt has names of its own, and what it stored and wrote down stays."""
    aborted: list[str] = []

    async def main(loop: VirtualLoop) -> tuple[Item, Item]:
        slow = Crew(loop, outputs=LateOutputs(aborted), objects=LateObjects(aborted), launcher=LeavingLauncher())
        outputs, objects = MemoryOutputs(), MemoryObjects()
        outputs.kept, objects.kept = slow.outputs.kept, slow.objects.kept  # type: ignore[attr-defined]
        other = Crew(loop, name="w2", store=slow.store, outputs=outputs, objects=objects, launcher=LeavingLauncher())
        slow.working_folders, other.working_folders = WorkingFolders(tmp_path), WorkingFolders(tmp_path)
        await slow.store.create(shards=1)
        await slow.store.add([an_item("a", script=SCRIPT)])
        ending = asyncio.create_task(slow.pilot().run())
        await asyncio.sleep(1)
        if is_fenced:
            [row] = await slow.store.workers()
            await reclaim_from(slow.store, row, now=NOON, policy=slow.policy, processes=slow.processes)
        else:
            slow.stop.request(Level.STOP, "test")
            await asyncio.sleep(SETTLED_WITHIN_S)
            assert (await slow.store.read("a")).state is State.TODO
        await other.pilot().run()
        settled = await slow.store.read("a")
        assert not aborted
        await ending
        record = settled.tasks[0].record
        assert record is not None
        assert outputs.kept[record.stdout.at] == LONG.encode() + b"\n"
        assert objects.kept[f"{record.results.at}file"] == b"of attempt 2"
        return settled, await slow.store.read("a")

    before, after = run(main)

    assert before == after
    assert (after.state, after.attempt, after.worker) == (State.DONE, 2, "w2")
    assert aborted

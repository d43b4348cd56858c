"""What tasks leave in their folders, stored by a storage that is slow, while the worker is told to stop."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from pyanamo_async.core.items import Item, State
from pyanamo_async.errors import Denied
from pyanamo_async.host.threads import Threads
from pyanamo_async.host.working_folders import WorkingFolders
from pyanamo_async.outputs.memory import MemoryObjects
from pyanamo_async.ports import Command, ObjectKey, Sink, StoredObject
from pyanamo_async.worker.stop import Level
from simulation.crew import Crew
from simulation.fake_launcher import FakeLauncher, FakeProcess
from simulation.virtual_time import VirtualLoop, run
from tests.fakes import an_item

STOPPED_S = 1.0
KEPT_S = STOPPED_S + 26  # of the 30 that platforms give


@pytest.fixture(autouse=True)
def no_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let calls that block run on the loop: virtual time does not wait for threads."""

    async def call(_: Threads, call: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401
        return call(*args, **kwargs)

    monkeypatch.setattr(Threads, "run", call)


class HangingObjects(MemoryObjects):
    """A storage that takes everything and never says that it is stored."""

    def open(self, key: ObjectKey) -> Sink:
        return HangingSink(super().open(key))


class HangingSink:
    """Takes everything, and never says that it is stored."""

    def __init__(self, sink: Sink) -> None:
        self._sink = sink

    async def write(self, chunk: bytes) -> None:
        await self._sink.write(chunk)

    async def close(self) -> str:
        await asyncio.sleep(1e6)
        return await self._sink.close()

    async def abort(self) -> None:
        await self._sink.abort()


class LeavingLauncher(FakeLauncher):
    """Starts scripts that leave a file in each of their folders."""

    async def start(self, command: Command, **receivers: Any) -> FakeProcess:  # noqa: ANN401 - as they come
        for name in ("PYANAMO_CHECKPOINT", "PYANAMO_RESULTS"):
            if name in command.env:
                Path(command.env[name], "file").write_text(f"of attempt {command.env['PYANAMO_ATTEMPT']}")
        return await super().start(command, **receivers)


def settled_in_time(folder: Path, script: str, *, twice: bool = False) -> Item:
    """Return the item of a script whose worker is stopped, as it is when what is kept must be stored."""

    async def main(loop: VirtualLoop) -> Item:
        crew = Crew(loop, objects=HangingObjects(), launcher=LeavingLauncher(), working_folders=WorkingFolders(folder))
        await crew.store.create(shards=1)
        await crew.store.add([an_item("a", script=script, max_failures=1)])
        loop.call_later(STOPPED_S, crew.stop.request, Level.STOP, "test")
        if twice:
            loop.call_later(2 * STOPPED_S, crew.stop.request, Level.NOW, "test")
        working = asyncio.create_task(crew.pilot().run())
        await asyncio.sleep(3 * STOPPED_S if twice else KEPT_S + 0.5)
        settled = await crew.store.read("a")
        await working
        return settled

    return run(main)


@pytest.mark.parametrize(
    "script",
    ["sleep 0.5;exit 0;PYANAMO_RESULTS", "sleep 5;exit 0;PYANAMO_RESULTS", "sleep 0.5;exit 85;PYANAMO_CHECKPOINT"],
)
@pytest.mark.parametrize("twice", [False, True])
def test_what_is_not_stored_in_time_is_an_interruption(tmp_path: Path, script: str, *, twice: bool) -> None:
    """A script that did its part and a storage that is away: the item is back before the platform kills, unblamed."""
    item = settled_in_time(tmp_path, script, twice=twice)

    assert (item.state, item.failures, item.interruptions) == (State.TODO, 0, 1)


class UnlistedObjects(MemoryObjects):
    """A storage that takes everything and lists nothing, for want of a right."""

    def __init__(self) -> None:
        super().__init__()
        self.asked, self.has_right = 0, False

    async def below(self, location: str) -> AsyncIterator[StoredObject]:
        self.asked += 1
        if not self.has_right:
            raise Denied("ListObjectsV2 on the bucket is denied")
        async for each in super().below(location):
            yield each


def test_a_state_that_is_denied_is_asked_for_ever_more_rarely(tmp_path: Path) -> None:
    """While other items keep the worker at work: the item says why it waits, and is charged no failure."""
    objects, hours = UnlistedObjects(), 6

    async def main(loop: VirtualLoop) -> Item:
        crew = Crew(loop, objects=objects, launcher=LeavingLauncher(), working_folders=WorkingFolders(tmp_path))
        await crew.store.create(shards=1)
        others = [an_item(f"i{number}", script="sleep 60") for number in range(60 * hours)]
        await crew.store.add([an_item("a", script="exit 85;PYANAMO_CHECKPOINT"), *others])
        await crew.pilot().run()
        return await crew.store.read("a")

    item = run(main)

    assert (item.failures, item.crashes) == (0, 0)
    assert item.reason.endswith("not started: its checkpoint cannot be read: ListObjectsV2 on the bucket is denied")
    assert 10 < objects.asked < 20 * hours


def test_of_many_checkpoints_the_last_is_kept(tmp_path: Path) -> None:
    """A script that asks to be run again, for ever, takes the room of one state, however short its attempts are."""
    objects = MemoryObjects()

    async def main(loop: VirtualLoop) -> Item:
        crew = Crew(loop, objects=objects, launcher=LeavingLauncher(), working_folders=WorkingFolders(tmp_path))
        await crew.store.create(shards=1)
        await crew.store.add([an_item("a", script="exit 85;PYANAMO_CHECKPOINT")])
        loop.call_later(10, crew.stop.request, Level.STOP, "test")
        await crew.pilot().run()
        return await crew.store.read("a")

    item = run(main)
    last = f"memory:table/a/Task_0/checkpoint/{item.mark}/{item.attempt}/1"
    assert item.attempt > 2
    assert set(objects.kept) == {f"{last}/manifest", f"{last}/pack"}

"""Output on its way from a script to the storage, with storages that are slow, away, or never come back."""

from __future__ import annotations

import asyncio

import pytest

from pyanamo_async.core.items import State
from pyanamo_async.errors import OutputError
from pyanamo_async.outputs.memory import MemoryOutputs
from pyanamo_async.ports import OutputKey, Sink
from pyanamo_async.worker.stop import Level
from simulation.crew import Crew
from simulation.virtual_time import VirtualLoop, run
from tests.fakes import an_item

LONG = "x" * 5000
PLATFORM_S = 30  # between SIGTERM and SIGKILL


class SlowOutputs(MemoryOutputs):
    """A storage that takes its time to close; `broken` cannot keep anything."""

    def __init__(self, *, closes_after_s: float = 0.0, aborts_after_s: float = 0.0, broken: bool = False) -> None:
        super().__init__()
        self.closes_after_s, self.aborts_after_s, self.broken = closes_after_s, aborts_after_s, broken
        self.aborted = 0

    def open(self, key: OutputKey) -> Sink:
        return _SlowSink(super().open(key), self)


class _SlowSink:
    def __init__(self, sink: Sink, outputs: SlowOutputs) -> None:
        self._sink, self._outputs = sink, outputs

    async def write(self, chunk: bytes) -> None:
        if self._outputs.broken:
            raise OutputError("the bucket is on fire")
        await self._sink.write(chunk)

    async def close(self) -> str:
        await asyncio.sleep(self._outputs.closes_after_s)
        return await self._sink.close()

    async def abort(self) -> None:
        await asyncio.sleep(self._outputs.aborts_after_s)
        self._outputs.aborted += 1
        await self._sink.abort()


def test_done_implies_that_the_output_exists() -> None:
    """Output is closed before the item is complete, however long that takes."""

    async def main(loop: VirtualLoop) -> None:
        crew = Crew(loop, outputs=SlowOutputs(closes_after_s=100))
        await crew.store.create(shards=1)
        await crew.store.add([an_item("a", script=f"print {LONG}")])
        await crew.pilot().run()
        record = (await crew.store.read("a")).tasks[0].record

        assert record is not None
        assert loop.time() >= 100
        assert crew.outputs.kept[record.stdout.at] == LONG.encode() + b"\n"  # type: ignore[attr-defined]
        assert record.seconds < 1

    run(main)


def test_an_item_that_is_imported_again_never_meets_older_output() -> None:
    """Both ran as attempt 1 of the same id; their marks keep their output apart, and a late upload of the first too."""

    async def main(loop: VirtualLoop) -> None:
        crew = Crew(loop)
        await crew.store.create(shards=1)
        for mark, text in (("0000aaaa", LONG), ("1111bbbb", LONG.upper())):
            await crew.store.add([an_item("a", script=f"print {text}", mark=mark)])
            await crew.pilot().run()
            await crew.store.remove(await crew.store.read("a"))

        assert sorted(crew.outputs.kept.values()) == [  # type: ignore[attr-defined]
            f"{text}\n".encode() for text in (LONG.upper(), LONG)
        ]

    run(main)


def test_a_log_that_cannot_be_stored_never_changes_the_outcome() -> None:
    """The item is done, its record says why the whole is missing, and the tail is kept."""

    async def main(loop: VirtualLoop) -> None:
        crew = Crew(loop, outputs=SlowOutputs(broken=True))
        await crew.store.create(shards=1)
        await crew.store.add([an_item("a", script=f"print {LONG};print end")])
        await crew.pilot().run()
        item = await crew.store.read("a")
        record = item.tasks[0].record

        assert record is not None
        assert item.state is State.DONE
        assert record.stdout.status == "not stored: the bucket is on fire"
        assert record.stdout.text.endswith("x\nend\n")
        assert record.stdout.size_bytes == len(LONG) + 5

    run(main)


@pytest.mark.parametrize(("level", "seconds"), [(Level.STOP, 1 + 20 + 2), (Level.NOW, 1)])
def test_a_worker_that_is_to_stop_does_not_wait_long_for_a_slow_storage(level: Level, seconds: float) -> None:
    """After the grace it gives up what is not stored; what had run to its end is done all the same."""

    async def main(loop: VirtualLoop) -> None:
        outputs = SlowOutputs(closes_after_s=1000)
        crew = Crew(loop, outputs=outputs)
        loop.call_later(1, crew.stop.request, level, "test")
        await crew.store.create(shards=1)
        await crew.store.add([an_item("a", script=f"print {LONG}")])
        await crew.pilot().run()
        item = await crew.store.read("a")
        record = item.tasks[0].record

        assert record is not None
        assert item.state is State.DONE
        assert loop.time() == pytest.approx(seconds, abs=0.1)
        assert "came before the storage was done" in record.stdout.status
        assert outputs.aborted == 1

    run(main)


@pytest.mark.parametrize("script", [f"print {LONG}", f"print {LONG};sleep 1000"])
def test_a_worker_that_is_to_stop_settles_before_it_tidies_up(script: str) -> None:
    """A storage that is away lets nobody abort anything: by then the item is back, or done."""

    async def main(loop: VirtualLoop) -> None:
        outputs = SlowOutputs(closes_after_s=1000, aborts_after_s=1000)
        crew = Crew(loop, outputs=outputs)
        loop.call_later(1, crew.stop.request, Level.STOP, "test")
        await crew.store.create(shards=1)
        await crew.store.add([an_item("a", script=script)])
        working = asyncio.create_task(crew.pilot().run())

        await asyncio.sleep(PLATFORM_S)
        settled = await crew.store.read("a")
        assert settled.state is (State.TODO if "sleep" in script else State.DONE)
        assert outputs.aborted == 0
        await working
        assert (outputs.aborted, await crew.store.read("a")) == (1, settled)

    run(main)

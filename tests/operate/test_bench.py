"""Measuring: figures of what a worker does, from a table that is there only for that."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

import pytest

from pyanamo_async.core.items import Item, State
from pyanamo_async.core.values import replace
from pyanamo_async.core.workers import ProcessStatus, Worker
from pyanamo_async.errors import OutputError, PyanamoError, StoreError, TableMissing, Unavailable, UsageError
from pyanamo_async.operate.bench import HEARTBEATS, Bench
from pyanamo_async.operate.bench_table import MARK, BenchTable, output_keys
from pyanamo_async.operate.measurements import Measurement, Operation, units_per_item
from pyanamo_async.outputs.memory import MemoryOutputs
from pyanamo_async.ports import EventLog, OutputKey, Sink, UnfinishedOutput, Units
from pyanamo_async.store.memory import MemoryStore
from tests.fakes import NOON, FakeClock, an_item

ME = Worker("me", "host", NOON, NOON, timedelta(hours=1), job=MARK)
ITEMS, STREAM_BYTES = 10, 200_000


class Ticking(FakeClock):
    """A clock on which every look takes a millisecond."""

    def monotonic(self) -> float:
        self.advance(timedelta(milliseconds=1))
        return super().monotonic()


class BrokenOutputs(MemoryOutputs):
    """Output that can be checked and not be kept."""

    def open(self, key: OutputKey) -> Sink:  # noqa: ARG002 # the port's
        raise OutputError("the disk is full")


class Lagging(MemoryStore):
    """A table that shows its items only after it was asked several times."""

    asked = 0

    async def claim(self, worker: str, **how: object) -> list[Item]:
        self.asked += 1
        return await super().claim(worker, **how) if self.asked % 3 == 0 else []  # type: ignore[arg-type]


class Throttled(MemoryStore):
    """A table that refuses the first claim for now."""

    asked = 0

    async def claim(self, worker: str, **how: object) -> list[Item]:
        self.asked += 1
        if self.asked == 1:
            raise Unavailable("throttled")
        return await super().claim(worker, **how)  # type: ignore[arg-type]


@dataclass
class Rig:
    """A bench over fakes, and what it said."""

    store: MemoryStore = field(default_factory=MemoryStore)
    outputs: MemoryOutputs | None = field(default_factory=MemoryOutputs)
    clock: FakeClock = field(default_factory=Ticking)
    process_status: ProcessStatus = ProcessStatus.UNKNOWN
    said: list[str] = field(default_factory=list)
    charged: Units | None = None
    runs: int = ITEMS

    def table(self) -> BenchTable:
        return BenchTable(
            "t-bench", self.store, self.outputs, ME, self.clock, lambda _: self.process_status, self.said.append
        )

    async def measure(self, *, at_once: int = 4) -> Sequence[Measurement]:
        async with self.table().created(shards=1, indexes=()) as output_namespace:
            return await Bench(
                store=self.store,
                outputs=self.outputs,
                output_namespace=output_namespace,
                me=ME,
                clock=self.clock,
                meter=lambda: self.charged,
                work=self.work,
                note=self.said.append,
                items=ITEMS,
                concurrency=at_once,
                stream_bytes=STREAM_BYTES,
            ).measure()

    async def work(self, event_log: EventLog) -> int:
        """Do what a worker would tell of."""
        for item in await MemoryStore.claim(self.store, "worker", limit=self.runs, now=self.clock.now()):
            event_log.note("item claimed", item=item.item_id, attempt=1)
            event_log.note("item settled", item=item.item_id, attempt=1, state=State.DONE, reason="")
        if self.runs < ITEMS:
            event_log.note("draining", reason="ordered to stop")
        return 0


async def test_every_part_is_measured() -> None:
    """Alone and in a crowd, with as many latencies as calls; nothing is left of it."""
    rig = Rig()
    figures = await rig.measure()

    assert [(each.operation, each.at_once, each.count) for each in figures] == [
        (Operation.IMPORT, 1, ITEMS),
        (Operation.CLAIM, 1, ITEMS),
        (Operation.SETTLE, 1, ITEMS),
        (Operation.IMPORT, ITEMS, ITEMS),
        (Operation.CLAIM, 4, ITEMS),
        (Operation.SETTLE, 4, ITEMS),
        (Operation.HEARTBEAT, 1, HEARTBEATS),
        (Operation.WORKER, 4, ITEMS),
        (Operation.SMALL, 1, 20),
        (Operation.STREAM, 1, 1),
    ]
    assert [len(each.latencies_s) for each in figures] == [10, 10, 10, 0, 3, 10, 20, 0, 20, 1]
    assert all(each.seconds > 0 for each in figures)
    assert rig.outputs is not None
    assert rig.outputs.kept == {}
    with pytest.raises(TableMissing):
        await rig.store.counts()


async def test_one_at_a_time_is_measured_once() -> None:
    """Where nothing else was asked for."""
    figures = await Rig().measure(at_once=1)

    assert [each.operation for each in figures].count(Operation.CLAIM) == 1


async def test_latencies_are_those_of_calls() -> None:
    """The median of an odd number is the middle one, the 95th of twenty the last but one, the 100th the longest."""
    figure = Measurement(Operation.HEARTBEAT, 1, FakeClock(), lambda: None, latencies_s=[5, 1, 3])
    twenty = dataclasses.replace(figure, latencies_s=list(range(20)))

    assert [figure.latency_s(percent) for percent in (50, 95, 100)] == [3, 5, 5]
    assert [twenty.latency_s(percent) for percent in (50, 95, 100)] == [9, 18, 19]
    assert dataclasses.replace(figure, latencies_s=[]).latency_s(50) is None


def test_an_item_costs_what_its_life_costs() -> None:
    """Import, claim and settle; what others told or did not tell is no part of it."""

    def figure(operation: Operation, units: Units | None, at_once: int = 1) -> Measurement:
        return Measurement(operation, at_once, FakeClock(), lambda: units, count=10, units=units)

    life = [
        figure(Operation.IMPORT, Units(20)),
        figure(Operation.CLAIM, Units(30, 5)),
        figure(Operation.SETTLE, Units(30)),
    ]
    batch_of_one = figure(Operation.IMPORT, Units(20))
    others = [batch_of_one, figure(Operation.HEARTBEAT, Units(60)), figure(Operation.CLAIM, Units(7, 0, untold=1), 8)]

    assert units_per_item([*life, *others]) == Units(8, 0.5)
    assert units_per_item([*life[:2], figure(Operation.SETTLE, Units(30, untold=1)), *others]) is None
    assert units_per_item([figure(each.operation, None) for each in life]) is None


async def test_an_index_that_lags_is_waited_for() -> None:
    """An empty answer is not the end."""
    figures = await Rig(Lagging()).measure()

    assert [each.count for each in figures if each.operation is Operation.CLAIM] == [ITEMS, ITEMS]


async def test_a_throttled_table_is_asked_again() -> None:
    """As workers ask it; what it took counts as latency."""
    rig = Rig(Throttled())
    figures = await rig.measure(at_once=1)

    [claims] = [each for each in figures if each.operation is Operation.CLAIM]
    assert len(claims.latencies_s) == claims.count == ITEMS
    assert claims.latency_s(100) == pytest.approx(0.002)
    assert claims.latency_s(50) == pytest.approx(0.001)


async def test_an_index_that_shows_nothing_is_not_waited_for_for_ever() -> None:
    """It ends with an error, and nothing is left."""
    rig = Rig(Lagging())
    rig.store.asked = -(10**9)  # type: ignore[attr-defined]
    rig.clock = Rushing()

    with pytest.raises(Unavailable, match="30 s"):
        await rig.measure()
    assert rig.said[-1] == "removing table t-bench"


class Rushing(FakeClock):
    """A clock on which every look takes ten seconds."""

    def monotonic(self) -> float:
        self.advance(timedelta(seconds=10))
        return super().monotonic()


async def test_output_that_cannot_be_kept_is_left_out() -> None:
    """It is told why; all else is measured."""
    rig = Rig(outputs=BrokenOutputs())
    figures = await rig.measure()

    assert figures[-1].operation is Operation.WORKER
    assert "output is not measured: the disk is full" in rig.said


async def test_without_output_the_rest_is_measured() -> None:
    """There may be no bucket."""
    assert (await Rig(outputs=None).measure())[-1].operation is Operation.WORKER


async def test_a_worker_that_does_not_run_all_is_no_figure() -> None:
    """A rate of what was not done would mislead."""
    with pytest.raises(StoreError, match=r"ran 3 of 10 scripts and ended with 0; draining: ordered to stop"):
        await Rig(runs=3).measure()


class TestBenchTable:
    """The table itself."""

    @pytest.mark.parametrize("moments", range(0, 80, 8))
    async def test_whenever_it_is_cancelled_nothing_is_left(self, moments: int) -> None:
        """Also while the table is being made."""
        rig = Rig(Slow())
        measuring = asyncio.create_task(rig.measure())
        for _ in range(moments):
            await asyncio.sleep(0)
        measuring.cancel()
        await asyncio.wait([measuring])

        assert measuring.cancelled()
        with pytest.raises(TableMissing):
            await rig.store.counts()

    async def test_what_a_killed_bench_left_is_removed(self) -> None:
        """It is known by its mark, and by its process being dead."""
        rig = Rig(process_status=ProcessStatus.DIED)
        await leave_behind(rig)
        await rig.measure()

        assert any("a killed bench left behind" in line for line in rig.said)
        assert rig.outputs is not None
        assert rig.outputs.kept == {}

    async def test_another_bench_is_left_alone(self) -> None:
        """Of two that measure the same table at the same time the second is refused."""
        rig = Rig(process_status=ProcessStatus.LIVES)
        await leave_behind(rig)

        with pytest.raises(UsageError, match="another bench is running on table t-bench"):
            await rig.measure()
        assert (await rig.store.counts()).total == 1

    @pytest.mark.parametrize("mark", ["", MARK])
    async def test_a_table_of_somebody_else_is_left_alone(self, mark: str) -> None:
        """Whatever it is called, and whoever once worked there: it holds items that no bench made."""
        rig = Rig(process_status=ProcessStatus.DIED)
        await rig.store.create(shards=1)
        await rig.store.add([an_item("theirs")])
        await rig.store.heartbeat(replace(ME, job=mark))

        with pytest.raises(UsageError, match="no bench created it"):
            await rig.measure()
        assert (await rig.store.read("theirs")).item_id == "theirs"

    async def test_an_empty_table_without_a_mark_is_left_alone(self) -> None:
        """Somebody may have just made it."""
        rig = Rig()
        await rig.store.create(shards=1)

        with pytest.raises(UsageError, match="no bench created it"):
            await rig.measure()
        assert (await rig.store.counts()).total == 0

    async def test_only_its_own_output_is_removed(self) -> None:
        """What others have under way, checks among it, is theirs."""
        outputs = Half()
        await Rig(outputs=outputs).measure()

        assert outputs.discarded == [outputs.location(output_keys("memory")[0])]

    async def test_what_cannot_be_removed_is_told(self) -> None:
        """By its name, and with who will remove it."""
        rig = Rig(outputs=Sticky())
        with pytest.raises(PyanamoError, match="not allowed"):
            await rig.measure()

        assert "t-bench or its output is left behind. hint: the next `pyanamo bench`" in rig.said[-1]
        with pytest.raises(TableMissing):
            await rig.store.counts()


class Slow(MemoryStore):
    """A table that takes its time."""

    async def create(self, **how: object) -> bool:
        for _ in range(10):
            await asyncio.sleep(0)
        made = await super().create(**how)  # type: ignore[arg-type]
        for _ in range(10):
            await asyncio.sleep(0)
        return made

    async def save(self, before: Item, after: Item) -> None:
        await asyncio.sleep(0)
        await super().save(before, after)


class Half(MemoryOutputs):
    """Output of which some is under way: ours, and a check of another worker."""

    def __init__(self) -> None:
        super().__init__()
        self.discarded: list[str] = []

    async def unfinished(self, table: str) -> AsyncIterator[UnfinishedOutput]:
        for location in (self.location(output_keys(table)[0]), "memory:check-1"):
            yield UnfinishedOutput(location, NOON, "name")

    async def discard(self, unfinished: UnfinishedOutput) -> None:
        self.discarded.append(unfinished.location)


class Sticky(MemoryOutputs):
    """Output that may be kept and not be removed."""

    async def remove(self, key: OutputKey) -> None:  # noqa: ARG002 # the port's
        raise OutputError("not allowed")


async def leave_behind(rig: Rig) -> None:
    """Leave what a bench leaves that was killed."""
    await rig.store.create(shards=1)
    await rig.store.heartbeat(ME)
    await rig.store.add([an_item("bench-1", sample=MARK)])
    assert rig.outputs is not None
    sink = rig.outputs.open(output_keys("memory")[3])
    await sink.close()

"""Following a task, from the wish to the outcome: a real worker with fake scripts, on virtual time."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Self

import pytest

from pyanamo_async.core import transitions
from pyanamo_async.core.failure_policy import FailurePolicy
from pyanamo_async.core.items import Item
from pyanamo_async.core.outcomes import Failed, Interrupted, InterruptReason, Outcome, Succeeded
from pyanamo_async.core.output_tail import TAIL_BYTES, OutputTail, TaskRef
from pyanamo_async.core.workers import ProcessStatus, Worker
from pyanamo_async.errors import OutputMissing, Unavailable, UsageError
from pyanamo_async.operate.follow import Follower
from pyanamo_async.operate.logs import STDOUT, LogReader
from pyanamo_async.ports import OutputStore
from pyanamo_async.store.memory import MemoryStore
from pyanamo_async.worker.stop import Level
from simulation.crew import Crew, FakeProcesses
from simulation.virtual_time import NOON, VirtualClock, VirtualLoop, run
from tests.fakes import an_item
from tests.worker.test_output import SlowOutputs

FEED = TaskRef("a", "Task_0", 1)
ONCE = FailurePolicy(max_failures=1)


class Table(MemoryStore):
    """A table that is away now and then; with `only_heartbeats` it tells nothing between them, as DynamoDB."""

    def __init__(self, *, only_heartbeats: bool = False) -> None:
        super().__init__()
        self.only_heartbeats = only_heartbeats
        self.away = False

    async def followed(self, worker_id: str, *, now: datetime) -> Sequence[TaskRef] | None:
        return None if self.only_heartbeats else await super().followed(worker_id, now=now)

    @property
    def wishes(self) -> int:
        """How many wishes stand in it."""
        return len(self._table.subscriptions)

    async def published(self, feed: TaskRef) -> OutputTail | None:
        if self.away:
            raise Unavailable("the table is away")
        return await super().published(feed)


@dataclass
class Desk:
    """Where somebody sits and watches a worker's task."""

    loop: VirtualLoop
    store: Table = field(default_factory=Table)
    said: list[str] = field(default_factory=list)
    shown: list[tuple[float, bytes]] = field(default_factory=list)
    process_status: ProcessStatus = ProcessStatus.UNKNOWN

    async def __aenter__(self) -> Self:
        self.crew = Crew(self.loop, store=self.store, policy=ONCE)
        await self.store.create(shards=1)
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self.store.wishes == 0  # whatever happened

    def follower(self, task: str | None = None) -> Follower:
        def show(stream: str, data: bytes) -> None:
            assert stream == STDOUT
            assert data
            self.shown.append((self.loop.time(), data))

        return Follower(
            "a",
            task,
            [STDOUT],
            show,
            self.said.append,
            self.store,
            LogReader("table", self._outputs),
            VirtualClock(self.loop),
            FakeProcesses(lambda _: self.process_status),
        )

    def stranger(self) -> Follower:
        """Somebody else, who watches the same."""
        self.crew = Crew(self.loop, store=self.store)
        return self.follower()

    async def beside(self, *scripts: str, task: str | None = None) -> Outcome | None:
        """Follow item `a` while a worker runs it."""
        await self.store.add([an_item("a", script=scripts[0], nested=scripts if len(scripts) > 1 else ())])
        async with asyncio.TaskGroup() as group:
            watching = group.create_task(self.follower(task).follow())
            group.create_task(self.crew.pilot().run())
        return watching.result()

    @property
    def text(self) -> bytes:
        return b"".join(data for _, data in self.shown)

    async def _outputs(self, _: str) -> OutputStore:
        return self.crew.outputs


@pytest.mark.parametrize(("only_heartbeats", "within_s"), [(False, 3), (True, 20 + 3)])
def test_a_line_is_seen_soon_after_it_was_printed(only_heartbeats: bool, within_s: float) -> None:
    """Within 3 s, where the first of them may have to wait for a beat."""

    async def main(loop: VirtualLoop) -> None:
        async with Desk(loop, Table(only_heartbeats=only_heartbeats)) as desk:
            outcome = await desk.beside(";".join(f"print {number};sleep 5" for number in range(20)))

            printed = [b"%d\n" % number for number in range(20)]
            assert outcome == Succeeded()
            assert desk.text == b"".join(printed)
            seen_at = {line: at for at, data in desk.shown for line in data.splitlines(keepends=True)}
            late = [seen_at[line] - 5 * number for number, line in enumerate(printed)]
            assert max(late) <= within_s
            assert max(late[5:]) <= 3

    run(main)


def test_it_ends_with_the_task_and_says_how() -> None:
    """Soon after the item is settled; what was printed last is not lost."""

    async def main(loop: VirtualLoop) -> None:
        async with Desk(loop) as desk:
            outcome = await desk.beside("print a;sleep 9;print b;exit 3")

            assert outcome == Failed(exit_code=3)
            assert desk.text == b"a\nb\n"
            assert desk.said == [
                "item a is waiting for a worker",
                "attempt 1 is running on w1",
                "attempt 1 ended: exit status 3",
            ]
            assert loop.time() <= 11

    run(main)


def test_output_that_went_to_storage_is_shown_to_its_last_byte() -> None:
    """From the byte the reader had reached: none is missing, none comes twice."""

    async def main(loop: VirtualLoop) -> None:
        async with Desk(loop) as desk:
            lines = (f"print {'x' * 1000}{number};sleep 0.3" for number in range(100))
            await desk.beside(f"sleep 3;{';'.join(lines)}")

            assert desk.text == b"".join(b"x" * 1000 + b"%d\n" % number for number in range(100))
            assert not any("skipped" in line for line in desk.said)

    run(main)


def test_what_came_too_fast_is_said_and_begins_again_with_a_line() -> None:
    """Shown and skipped add up to what was printed; the rest at the end is whole."""

    async def main(loop: VirtualLoop) -> None:
        line = "y" * 99
        burst = ";".join([f"print {line}"] * (3 * TAIL_BYTES // 100))
        async with Desk(loop) as desk:
            await desk.beside(f"print begin;sleep 4;{burst};sleep 3.5;{burst}")

            skipped = [int(said.split()[1]) for said in desk.said if "skipped" in said]
            size = len("begin\n") + 2 * 100 * (3 * TAIL_BYTES // 100)
            assert len(skipped) == 1
            assert 2 * TAIL_BYTES - 100 <= skipped[0] <= 2 * TAIL_BYTES + 100
            assert len(desk.text) + skipped[0] == size
            assert set(desk.text.splitlines()) == {b"begin", line.encode()}

    run(main)


def test_who_comes_late_sees_the_end_of_what_there_is() -> None:
    """And is told how much came before."""

    async def main(loop: VirtualLoop) -> None:
        async with Desk(loop) as desk:
            await desk.store.add([an_item("a", script=f"print {'x' * 5000};print end;sleep 60;print more")])
            async with asyncio.TaskGroup() as group:
                group.create_task(desk.crew.pilot().run())
                await asyncio.sleep(30)
                group.create_task(desk.follower().follow())

            assert desk.text == b"end\nmore\n"
            assert "... 5001 bytes of stdout skipped ..." in desk.said

    run(main)


@pytest.mark.parametrize("task", ["1", "Task_1"])
def test_a_task_of_a_nested_item_is_followed_from_its_start(task: str) -> None:
    """It may have to wait for a place; it ends when this task ends, not with the item."""

    async def main(loop: VirtualLoop) -> None:
        async with Desk(loop) as desk:
            outcome = await desk.beside("sleep 20;print noise", "print signal;exit 1", "sleep 60", task=task)

            assert outcome == Failed(exit_code=1)
            assert desk.text == b"signal\n"
            assert desk.shown[0][0] <= 23

    run(main)


def test_of_several_tasks_one_must_be_named() -> None:
    """Before anything is asked of a worker."""

    async def main(loop: VirtualLoop) -> None:
        async with Desk(loop) as desk:
            await desk.store.add([an_item("a", nested=("x", "y"))])
            with pytest.raises(UsageError, match="has 2 tasks"):
                await desk.follower().follow()

    run(main)


def test_it_ends_with_the_attempt_and_says_that_another_follows() -> None:
    """Who wants to see the next one follows again, and waits for it."""

    async def main(loop: VirtualLoop) -> None:
        async with Desk(loop) as desk:
            desk.crew.policy = FailurePolicy(max_failures=2, backoff_min=timedelta(minutes=10))
            await desk.store.add([an_item("a", script="print x;exit 1")])
            async with asyncio.TaskGroup() as group:
                group.create_task(desk.crew.pilot().run())
                assert await desk.follower().follow() == Failed(exit_code=1)
                assert loop.time() < 10
                assert desk.said[-1] == "attempt 1 ended: exit status 1; it will run again"
                assert await desk.follower().follow() == Failed(exit_code=1)

            assert any("item a is waiting for a worker, not before 12:" in said for said in desk.said)
            assert desk.said[-1] == "attempt 2 ended: exit status 1"
            assert desk.text == b"x\nx\n"

    run(main)


def test_what_is_over_is_shown_at_once() -> None:
    """All of it, and how it ended; no worker is asked for anything."""

    async def main(loop: VirtualLoop) -> None:
        async with Desk(loop) as desk:
            await desk.store.add([an_item("a", script=f"print {'x' * 5000}")])
            await desk.crew.pilot().run()
            began = loop.time()

            assert await desk.follower().follow() == Succeeded()
            assert loop.time() == began
            assert desk.text == b"x" * 5000 + b"\n"

    run(main)


def test_what_is_over_without_a_record_is_missing() -> None:
    """An item that was buried before any attempt ended."""

    async def main(loop: VirtualLoop) -> None:
        async with Desk(loop) as desk:
            await desk.store.add([an_item("a")])
            [claimed] = await desk.store.claim("w1", limit=1, now=NOON)
            await desk.store.save(claimed, transitions.reclaim(claimed, now=NOON, policy=FailurePolicy(crash_limit=1)))
            with pytest.raises(OutputMissing):
                await desk.follower().follow()

    run(main)


async def _held_by_a_silent_worker(desk: Desk) -> Item:
    await desk.store.add([an_item("a")])
    await desk.store.heartbeat(Worker("w1", "host", NOON, NOON, timedelta(seconds=180)))
    [claimed] = await desk.store.claim("w1", limit=1, now=NOON)
    return claimed


@pytest.mark.parametrize(
    ("process_status", "after_s", "says"),
    [(ProcessStatus.DIED, 0, "died"), (ProcessStatus.UNKNOWN, 181, "no heartbeat")],
)
def test_it_ends_with_a_worker_that_vanished(process_status: ProcessStatus, after_s: float, says: str) -> None:
    """At once where a process can be looked for, else when its lease is over."""

    async def main(loop: VirtualLoop) -> None:
        async with Desk(loop, process_status=process_status) as desk:
            await _held_by_a_silent_worker(desk)

            assert await desk.follower().follow() is None
            assert after_s - 1 <= loop.time() <= after_s + 6
            assert desk.said[-1].startswith("attempt 1 was lost: worker w1 ")
            assert says in desk.said[-1]

    run(main)


@pytest.mark.parametrize("forgotten", [False, True])
def test_it_ends_when_the_item_is_taken_over(forgotten: bool) -> None:
    """By whoever noticed first that the worker vanished."""

    async def main(loop: VirtualLoop) -> None:
        async with Desk(loop) as desk:
            claimed = await _held_by_a_silent_worker(desk)
            watching = loop.create_task(desk.follower().follow())
            await asyncio.sleep(10)
            await desk.store.forget("w1")
            if not forgotten:
                await desk.store.save(claimed, transitions.reclaim(claimed, now=NOON, policy=FailurePolicy()))

            assert await watching is None
            assert loop.time() <= 11
            assert desk.said[-1].startswith("attempt 1 was lost: ")
            assert "vanished" in desk.said[-1] or "worker w1 is gone" in desk.said[-1]

    run(main)


def test_an_attempt_that_never_began_is_passed_over() -> None:
    """The claim was given back unstarted: the next one is followed."""

    async def main(loop: VirtualLoop) -> None:
        async with Desk(loop) as desk:
            claimed = await _held_by_a_silent_worker(desk)
            watching = loop.create_task(desk.follower().follow())
            await asyncio.sleep(10)
            await desk.store.save(claimed, transitions.release_unused(claimed))
            await asyncio.sleep(10)
            await desk.crew.pilot().run()

            assert await watching == Succeeded()
            assert desk.said[-1] == "attempt 2 succeeded"

    run(main)


def test_a_worker_that_is_told_to_stop_ends_what_is_followed() -> None:
    """An interruption is an ending like others, and the item will be run again."""

    async def main(loop: VirtualLoop) -> None:
        async with Desk(loop) as desk:
            loop.call_later(10, desk.crew.stop.request, Level.NOW, "test")

            assert await desk.beside("print x;sleep 1000") == Interrupted(InterruptReason.STOP)
            assert desk.text == b"x\n"
            assert desk.said[-1] == "attempt 1 ended: interrupted: stop; it will run again"

    run(main)


def test_who_stops_watching_leaves_nothing_behind() -> None:
    """Ctrl-C, or whatever else: the wish is withdrawn, and what was published goes with it."""

    async def main(loop: VirtualLoop) -> None:
        async with Desk(loop) as desk:
            await desk.store.add([an_item("a", script="print x;sleep 50")])
            async with asyncio.TaskGroup() as group:
                group.create_task(desk.crew.pilot().run())
                watching = group.create_task(desk.follower().follow())
                await asyncio.sleep(10)
                assert desk.store.wishes == 1
                watching.cancel()
                await asyncio.wait([watching])
                assert desk.store.wishes == 0

            assert desk.text == b"x\n"

    run(main)


def test_a_wish_lasts_as_long_as_somebody_watches() -> None:
    """However long that is: it is renewed, and expires for who died."""

    async def main(loop: VirtualLoop) -> None:
        async with Desk(loop) as desk:
            await desk.store.add([an_item("a", script="sleep 3600;print late;sleep 60")])
            async with asyncio.TaskGroup() as group:
                group.create_task(desk.crew.pilot().run())
                group.create_task(desk.follower().follow())

            assert desk.shown[0][0] <= 3603

    run(main)


def test_two_may_watch_and_one_may_leave() -> None:
    """The other one asks again, and misses nothing."""

    async def main(loop: VirtualLoop) -> None:
        async with Desk(loop) as desk:
            await desk.store.add([an_item("a", script=";".join(f"print {number};sleep 2" for number in range(20)))])
            async with asyncio.TaskGroup() as group:
                group.create_task(desk.crew.pilot().run())
                leaving = group.create_task(Desk(loop, desk.store).stranger().follow())
                group.create_task(desk.follower().follow())
                await asyncio.sleep(15)
                leaving.cancel()

            assert desk.text == b"".join(b"%d\n" % number for number in range(20))
            assert all(at <= 2 * int(data) + 4 for at, data in desk.shown)

    run(main)


def test_a_table_that_is_away_is_waited_for() -> None:
    """It is said once; what was printed meanwhile comes afterwards."""

    async def main(loop: VirtualLoop) -> None:
        async with Desk(loop) as desk:
            loop.call_later(10, setattr, desk.store, "away", True)
            loop.call_later(20, setattr, desk.store, "away", False)
            await desk.beside(";".join(f"print {number};sleep 2" for number in range(20)))

            assert desk.text == b"".join(b"%d\n" % number for number in range(20))
            assert desk.said.count("the table is away") == 1

    run(main)


def test_output_that_was_not_kept_is_said() -> None:
    """What was seen while it ran is all there is."""

    async def main(loop: VirtualLoop) -> None:
        async with Desk(loop) as desk:
            desk.crew.outputs = SlowOutputs(broken=True)
            outcome = await desk.beside(f"print first;sleep 5;print {'x' * 5000}")

            assert outcome == Succeeded()
            assert desk.text == b"first\n"
            assert "... 5001 bytes of stdout skipped ..." in desk.said
            assert "this is not all of stdout: not stored: the bucket is on fire" in desk.said

    run(main)

"""What goes wrong around scripts that are innocent of it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import timedelta

import pytest

from pyanamo_async.core.failure_policy import FailurePolicy
from pyanamo_async.core.items import Item, State, TaskState
from pyanamo_async.errors import BadRow, Denied, LaunchRefused, StoreError, Unavailable
from pyanamo_async.ports import Command, OutputKey, Receiver, Sink
from pyanamo_async.store.memory import MemoryStore
from pyanamo_async.worker.stop import Level
from simulation.crew import Crew
from simulation.fake_launcher import FakeLauncher, FakeProcess
from simulation.virtual_time import VirtualLoop, run
from tests.fakes import an_item
from tests.worker.test_output import LONG, SlowOutputs


class SmallMachine(FakeLauncher):
    """Starts no more than so many scripts at a time."""

    def __init__(self, most: int) -> None:
        super().__init__()
        self.most = most

    async def start(self, command: Command, *, stdout: Receiver, stderr: Receiver) -> FakeProcess:
        if self.running >= self.most:
            raise LaunchRefused("no more processes")
        return await super().start(command, stdout=stdout, stderr=stderr)


class BrokenLauncher(FakeLauncher):
    """Breaks at the script `break`, in a way nobody foresaw, when others have run for a while; afterwards it works."""

    def __init__(self, after_s: float) -> None:
        super().__init__()
        self.after_s = after_s
        self.has_broken = False

    async def start(self, command: Command, *, stdout: Receiver, stderr: Receiver) -> FakeProcess:
        if command.script == "break" and not self.has_broken:
            await asyncio.sleep(self.after_s)
            self.has_broken = True
            raise RuntimeError("cannot start new thread")
        return await super().start(command, stdout=stdout, stderr=stderr)


class PickyStore(MemoryStore):
    """Refuses to settle one item, or to give any claim after the first."""

    def __init__(self, *, unsettled: str = "", claims: int = 1000) -> None:
        super().__init__()
        self.unsettled, self.claims = unsettled, claims

    async def save(self, before: Item, after: Item) -> None:
        if before.item_id == self.unsettled:
            raise StoreError("this row is refused")
        await super().save(before, after)

    async def claim(self, *args: object, **kwargs: object) -> list[Item]:
        self.claims -= 1
        if self.claims < 0:
            raise Denied("not any more")
        return await super().claim(*args, **kwargs)  # type: ignore[arg-type]


class StoreWithoutRecords(MemoryStore):
    """Breaks, in a way nobody foresaw, at the record of a task."""

    async def save(self, before: Item, after: Item) -> None:
        if any(task.record for task in after.tasks):
            raise RuntimeError("no such type")
        await super().save(before, after)


class ExplodingOutputs(SlowOutputs):
    """Breaks in a way nobody foresaw."""

    def open(self, key: OutputKey) -> Sink:  # noqa: ARG002 # it breaks for everybody
        return _ExplodingSink()


class _ExplodingSink:
    async def write(self, chunk: bytes) -> None:
        raise RuntimeError(f"cannot start new thread for {len(chunk)} bytes")

    async def close(self) -> str:
        return ""

    async def abort(self) -> None:
        pass


class BusyStore(MemoryStore):
    """Is locked when the first claim comes."""

    is_locked = True

    async def claim(self, *args: object, **kwargs: object) -> list[Item]:
        if self.is_locked:
            self.is_locked = False
            raise Unavailable("the table is locked")
        return await super().claim(*args, **kwargs)  # type: ignore[arg-type]


LATE_LOOKS = 2  # one before the next claim, and the first of those when there is none


class DeafStore(MemoryStore):
    """Claims an item and loses the reply, as the worker is told to stop, and shows it late, or is away for good."""

    def __init__(self, stop: Callable[[], None], *, goes_away: bool = False) -> None:
        super().__init__()
        self.stop, self.goes_away = stop, goes_away
        self.looks = 0

    async def held(self, worker_id: str) -> list[Item | BadRow]:
        self.looks += 1
        if self.goes_away:
            raise Unavailable("no answer in time")
        return await super().held(worker_id) if self.looks > LATE_LOOKS else []

    async def claim(self, *args: object, **kwargs: object) -> list[Item]:
        await super().claim(*args, **kwargs)  # type: ignore[arg-type]
        self.stop()
        raise Unavailable("no answer in time")


def test_a_claim_whose_reply_is_lost_when_the_worker_stops_is_put_back() -> None:
    """Its worker looks once more, though it claims no more: nobody has to take the item over as from a crash."""

    async def main(loop: VirtualLoop) -> None:
        crew = Crew(loop, index_lag=timedelta(seconds=1))
        crew.store = DeafStore(lambda: crew.stop.request(Level.STOP, "SIGTERM"))
        await crew.store.create(shards=1)
        await crew.store.add([an_item("a")])

        summary = await crew.pilot().run()
        item = await crew.store.read("a")

        assert (item.state, item.crashes, item.interruptions) == (State.TODO, 0, 0)
        assert (summary.put_back, summary.work_left) == (1, True)
        assert loop.time() < 5

    run(main)


def test_looking_for_a_claim_without_an_answer_ends() -> None:
    """A worker that is stopped while the store is away has little time: it says what it leaves."""

    async def main(loop: VirtualLoop) -> None:
        crew = Crew(loop)
        store = crew.store = DeafStore(lambda: crew.stop.request(Level.STOP, "SIGTERM"), goes_away=True)
        await crew.store.create(shards=1)
        await crew.store.add([an_item("a")])

        await crew.pilot().run()

        assert store.looks > 1
        assert [each["trouble"] for each in crew.notes.named("claims without an answer left to other workers")]
        assert loop.time() < 20

    run(main)


def test_a_lock_costs_no_wait_at_the_end() -> None:
    """Where no index lags, as on SQLite, what a claim came to is known at once: nobody waits for it to show."""

    async def main(loop: VirtualLoop) -> None:
        crew = Crew(loop, store=BusyStore())
        await crew.store.create(shards=1)
        await crew.store.add([an_item("a", script="exit 0")])

        summary = await crew.pilot().run()

        assert summary.settled[State.DONE] == 1
        assert loop.time() < 5

    run(main)


def test_a_machine_that_cannot_start_scripts_costs_no_item_a_failure() -> None:
    """What cannot be started here goes back unharmed, and claiming slows down until it can."""

    async def main(loop: VirtualLoop) -> None:
        crew = Crew(loop, slots=60, launcher=SmallMachine(10))
        await crew.store.create(shards=1)
        await crew.store.add([an_item(f"i{n}", script="sleep 1") for n in range(60)])
        tally = await crew.pilot().run()
        items = [await crew.store.read(f"i{n}") for n in range(60)]

        assert {item.state for item in items} == {State.DONE}
        assert sum(item.failures for item in items) == 0
        assert tally.errors == 0

    run(main)


def test_a_machine_that_can_start_nothing_goes_home() -> None:
    """After minutes without one script started the worker ends by its own fault, and every item is as it was."""

    async def main(loop: VirtualLoop) -> None:
        crew = Crew(loop, launcher=SmallMachine(0))
        await crew.store.create(shards=1)
        await crew.store.add([an_item("a"), an_item("n", nested=["true", "true"])])
        tally = await crew.pilot().run()
        counts = await crew.store.counts()

        assert (tally.errors, tally.work_left) == (1, True)
        assert "cannot start scripts: no more processes" in tally.stopped
        assert tally.trouble == tally.stopped
        assert counts.items[State.TODO] == 2
        assert 30 < loop.time() < 600

    run(main)


def test_a_refused_write_costs_its_item_alone() -> None:
    """An item that cannot be settled is lost to this worker; what runs beside it runs on."""

    async def main(loop: VirtualLoop) -> None:
        crew = Crew(loop, store=PickyStore(unsettled="bad"))
        await crew.store.create(shards=1)
        await crew.store.add([an_item("bad"), an_item("long", script="sleep 100")])
        loop.call_later(150, crew.stop.request, Level.DRAIN, "enough")
        tally = await crew.pilot().run()

        assert (await crew.store.read("long")).state is State.DONE
        assert (tally.errors, tally.settled[State.DONE]) == (1, 1)
        assert crew.notes.named("item lost")[0]["reason"] == "this row is refused"
        assert tally.trouble == "item 'bad' was lost: this row is refused"

    run(main)


def test_an_item_that_cannot_be_settled_keeps_no_worker_from_going_home() -> None:
    """Its worker cannot help it; its row says that it ended, so the next one takes the item over."""

    async def main(loop: VirtualLoop) -> None:
        crew = Crew(loop, store=PickyStore(unsettled="bad"))
        await crew.store.create(shards=1)
        await crew.store.add([an_item("bad")])
        summary = await crew.pilot().run()
        crew.store.unsettled = ""  # type: ignore[attr-defined]
        next_one = Crew(loop, name="w2", store=crew.store)
        await next_one.pilot().run()

        assert (summary.errors, summary.settled) == (1, {})
        assert (await crew.store.read("bad")).state is State.DONE
        assert loop.time() < 60

    run(main)


def test_refused_claims_end_a_worker_when_its_scripts_have_ended() -> None:
    """Rights that are taken away never cancel a running script."""

    async def main(loop: VirtualLoop) -> None:
        crew = Crew(loop, store=PickyStore(claims=1))
        await crew.store.create(shards=1)
        await crew.store.add([an_item("a", script="sleep 100"), an_item("b", script="sleep 50")])
        with pytest.raises(Denied, match="not any more"):
            await crew.pilot().run()

        assert (await crew.store.counts()).items[State.DONE] == 2

    run(main)


def test_a_stop_shortens_the_storing_of_a_timed_out_script_too() -> None:
    """The timeout stays on record, whatever ended the wait for its output."""

    async def main(loop: VirtualLoop) -> None:
        crew = Crew(loop, outputs=SlowOutputs(closes_after_s=1000), timeout=timedelta(seconds=5))
        crew.policy = FailurePolicy(max_failures=1)
        loop.call_later(10, crew.stop.request, Level.STOP, "SIGTERM")
        await crew.store.create(shards=1)
        await crew.store.add([an_item("a", script=f"print {LONG};sleep 500")])
        await crew.pilot().run()
        item = await crew.store.read("a")

        assert loop.time() == pytest.approx(10 + 20 + 2, abs=0.2)
        assert item.reason == "attempt 1: ran longer than its limit of 5 s"

    run(main)


def test_a_storage_that_breaks_in_an_unknown_way_holds_no_script() -> None:
    """Whatever the sink raises, the rest of the output is read."""

    async def main(loop: VirtualLoop) -> None:
        crew = Crew(loop, outputs=ExplodingOutputs())
        await crew.store.create(shards=1)
        await crew.store.add([an_item("a", script=";".join([f"print {LONG}"] * 100))])
        await crew.pilot().run()
        item = await crew.store.read("a")
        record = item.tasks[0].record

        assert item.state is State.DONE
        assert record is not None
        assert "cannot start new thread" in record.stdout.status

    run(main)


@pytest.mark.parametrize("after_s", [0.5, 5.0])
def test_a_fault_of_ours_runs_no_finished_task_again(after_s: float) -> None:
    """Whether their progress was written or not: what ended before the fault is kept, and counts once."""

    async def main(loop: VirtualLoop) -> None:
        crew = Crew(loop, launcher=BrokenLauncher(after_s), nests=3, policy=FailurePolicy(max_failures=2))
        await crew.store.create(shards=1)
        await crew.store.add([an_item("a", nested=["sleep 0.2", "exit 1", "break"])])
        summary = await crew.pilot().run()
        item = await crew.store.read("a")

        assert summary.errors == 1
        assert summary.trouble.startswith("item 'a' was put back after our own fault: ")
        assert item.crashes == 1
        assert [task.attempts for task in item.tasks] == [1, 2, 1]
        assert [task.state for task in item.tasks] == [TaskState.DONE, TaskState.FAILED, TaskState.DONE]
        assert crew.launcher.started["a"] == 1 + 2 + 1

    run(main)


def test_results_that_cannot_be_written_cost_their_item_alone() -> None:
    """The item goes back as it was, until one more crash would bury it; what runs beside it runs on."""

    async def main(loop: VirtualLoop) -> None:
        crew = Crew(loop, store=StoreWithoutRecords())
        await crew.store.create(shards=1)
        await crew.store.add([an_item("a"), an_item("long", script="sleep 100")])
        loop.call_later(50, crew.stop.request, Level.DRAIN, "enough")
        summary = await crew.pilot().run()
        item = await crew.store.read("a")

        assert (item.state, item.crashes) == (State.TODO, FailurePolicy().crash_limit - 1)
        assert summary.errors == item.crashes + 1  # the other item's record is refused, too
        assert crew.launcher.started["long"] == 1
        assert loop.time() >= 100

    run(main)


class _SlowStore(MemoryStore):
    """Takes a while to settle."""

    async def save(self, before: Item, after: Item) -> None:
        await asyncio.sleep(5)
        await super().save(before, after)


def test_a_worker_that_is_cancelled_settles_what_has_ended() -> None:
    """Before it ends itself: its caller may close the table then."""

    async def main(loop: VirtualLoop) -> None:
        crew = Crew(loop, store=_SlowStore())
        await crew.store.create(shards=1)
        await crew.store.add([an_item("a", script="sleep 10")])
        working = loop.create_task(crew.pilot().run())
        await asyncio.sleep(12)
        working.cancel()
        await asyncio.wait([working])

        assert working.cancelled()
        assert (await crew.store.read("a")).state is State.DONE

    run(main)

"""Schedules of the simulated fleet: some that are drawn, and some that each show one rule at work, or missing.

`make chaos` runs ten thousand drawn ones.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace

import pytest

from pyanamo_async.core.items import Item
from pyanamo_async.fleet.going_home import GoingHome, IdlePolicy
from pyanamo_async.fleet.peers import PeerMonitor
from pyanamo_async.fleet.reclaim import Taken
from pyanamo_async.store.dynamodb import rows
from pyanamo_async.worker import heartbeats
from pyanamo_async.worker.lost_claims import LostClaims
from simulation.__main__ import run_block
from simulation.fleet import simulate
from simulation.index import IndexLag
from simulation.laws import Broken
from simulation.member import Guard
from simulation.network import Network
from simulation.schedule import Action, Disturbance, Event, Place, Schedule, draw

SCHEDULES, BLOCK = 30, 2

LONG, HOUR = (("sleep 600",),), (("sleep 3600",),)

CUT_OFF = Schedule(LONG, (Place(), Place(waits=True)), (Event(30, 0, Action.CUT_OFF, 500),))
"""The first worker cannot reach the table for longer than its lease; the second, which waits, takes its item over."""

SETTLED_AGAIN = Schedule(
    (("sleep 200",),),
    (Place(), Place(starts_s=5, slots=2)),
    (Event(10, 0, Action.STOP), Event(28, 0, Action.REPEAT_WRITE, 60)),
)
"""The first worker is told to stop and puts its item back; that write arrives again while the second runs the item."""

KILLED_BEFORE = Schedule(LONG, (Place(), Place(starts_s=120)), (Event(30, 0, Action.KILL),))
"""The first worker is killed; the second starts when nothing can be claimed, but something is held."""

CLAIM_UNANSWERED = Schedule(
    (("sleep 100",),), (Place(slots=2),), (Event(0.5, 0, Action.LOSE_REPLY),), network=Network(latency_s=0.2)
)
"""The reply to the only claim is lost: its worker finds that it holds the item, and then asks for it again."""

STOPPED_UNANSWERED = Schedule(
    (("sleep 100",),),
    (Place(),),
    (Event(0.5, 0, Action.LOSE_REPLY), Event(1, 0, Action.STOP)),
    network=Network(latency_s=0.2, gives_up_after_s=1),
    index=IndexLag(at_most_s=3),
)
"""The reply to the only claim is lost as its worker is told to stop, and the index shows the claim a little later."""

PAUSED = Schedule(LONG, (Place(), Place(waits=True)), (Event(30, 0, Action.PAUSE, 500),))
"""The first worker is stopped for longer than its lease while its script runs on; the second takes its item over."""

TOO_MANY_FAILED = Schedule(
    (("exit 1",), *[("sleep 50;exit 1",)] * 6), (Place(slots=2), Place(starts_s=1, waits=True)), max_failed="1"
)
"""The first item to fail for good does so while the others wait for their last try."""

LAST_ATTEMPTS = Schedule(
    LONG, (Place(), Place(starts_s=5, last_attempts=True)), (Event(100, 0, Action.STOP),), last_attempts_after=1
)
"""The first worker is stopped and leaves its item to the second, which takes last attempts and has no other work."""

ONE_EACH = {
    Disturbance.INDEX_GAPS: Schedule(HOUR, (Place(), Place(waits=True)), index=IndexLag(at_most_s=10, gaps=True)),
    Disturbance.SLOW_INDEX: Schedule(HOUR, (Place(), Place(waits=True)), index=IndexLag(slow=1.0)),
    Disturbance.VERY_WRONG_CLOCKS: Schedule(LONG, (Place(), Place(clock_offset_s=600, waits=True))),
    Disturbance.CLOCK_JUMPS: Schedule(LONG, (Place(), Place(waits=True)), (Event(30, 0, Action.JUMP_CLOCK, -600),)),
    Disturbance.SUSPENSIONS: Schedule(LONG, (Place(), Place(waits=True)), (Event(30, 1, Action.SUSPEND, 300),)),
}
"""The second worker waits, and sees of the first what clocks and index show. The one that is suspended is the second:
when it goes on, it must not take the first, which sent heartbeats all the while, for dead.
"""


@pytest.mark.parametrize("first", range(0, SCHEDULES, BLOCK))
def test_every_law_holds_whatever_happens(first: int) -> None:
    """Workers and machines fail or halt, the network loses and repeats, clocks are wrong: nothing is lost."""
    _, broken = run_block(range(first, first + BLOCK))

    assert broken == {}, f"replay with: python -m simulation {min(broken)}"


def test_a_schedule_always_goes_the_same_way() -> None:
    """The same value is the same schedule, to the last random number."""
    assert draw(11) == draw(11)
    assert simulate(draw(11)) == simulate(draw(11))


@pytest.mark.parametrize(
    "schedule", [CUT_OFF, SETTLED_AGAIN, KILLED_BEFORE, CLAIM_UNANSWERED, STOPPED_UNANSWERED, PAUSED]
)
def test_every_law_holds(schedule: Schedule) -> None:
    """What the schedules below show broken holds with all rules in place."""
    assert simulate(schedule) == {"done": 1}


@pytest.mark.parametrize("disturbance", ONE_EACH)
def test_no_healthy_worker_is_taken_for_dead(disturbance: Disturbance) -> None:
    """Whatever clocks and index show of it: nobody takes what it holds, and it runs its item once."""
    assert simulate(ONE_EACH[disturbance]) == {"done": 1}


def test_too_many_failed_items_send_all_workers_home() -> None:
    """Waiting workers go as well. Items that were not tried as often as allowed stay to do, and nobody holds any."""
    ended = simulate(TOO_MANY_FAILED)

    assert (ended["locked"], ended["todo"] > 0) == (0, True)


def test_a_worker_that_halts_is_replaced_until_all_is_settled() -> None:
    """Each failure halts one; what it had not begun is left to others, and nothing is lost."""
    schedule = Schedule(
        (("exit 1",), ("sleep 60",), ("sleep 60",)), (Place(slots=2, halt_after=1), Place(halt_after=1))
    )

    assert simulate(schedule) == {"failed": 1, "done": 2}


@pytest.mark.parametrize("action", [Action.STOP, Action.KILL])
def test_a_worker_for_last_attempts_is_there_for_them(action: Action) -> None:
    """Whatever became of the machine; the worker that comes in its place leaves the item alone."""
    assert simulate(replace(LAST_ATTEMPTS, events=(Event(100, 0, action),))) == {"done": 1}


def test_a_worker_for_last_attempts_that_does_not_wait_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """It goes home while another holds what is then left to it, and to nobody else."""
    monkeypatch.setattr(GoingHome, "_may_leave_last_attempts", no_wait)

    with pytest.raises(Broken, match="all workers went home, and items are left"):
        simulate(LAST_ATTEMPTS)


async def no_wait(*_: object) -> bool:
    """Expect nothing of others."""
    return False


def test_a_worker_that_does_not_fence_itself_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the fence, the worker that is cut off goes on beside the one that took over."""
    monkeypatch.setattr(heartbeats, "SHARE_OF_LEASE", 10.0)

    with pytest.raises(Broken, match="runs under attempts 1 and 2"):
        simulate(CUT_OFF)


def test_a_guard_that_does_not_end_scripts_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without it, the script of the worker that is stopped goes on beside the one that took over."""
    monkeypatch.setattr(Guard, "lease_until", lambda *_: None)

    with pytest.raises(Broken, match="runs under attempts 1 and 2"):
        simulate(PAUSED)


def test_a_worker_that_leaves_a_claim_behind_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a last look it says goodbye, and holds an item that it never heard of."""

    async def look_no_more(*_: object, **__: object) -> int:
        return 0

    monkeypatch.setattr(LostClaims, "put_back", look_no_more)

    with pytest.raises(Broken, match="0-w1 ended, and holds i0 unawares"):
        simulate(STOPPED_UNANSWERED)


@pytest.mark.parametrize("fence", [lambda _: {}, lambda item: {"ItemState": str(item.state)}])
def test_a_save_without_attempt_and_token_is_noticed(
    fence: Callable[[Item], dict[str, object]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where anybody may write, or whoever once held the item, the repeated write takes it from the one that runs it."""
    monkeypatch.setattr(rows, "fence", fence)

    with pytest.raises(Broken, match="healthy"):
        simulate(SETTLED_AGAIN)


def test_a_worker_that_does_not_end_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """One whose watcher lives on although it was cancelled would hang, on being stopped, until it is killed."""
    look_after, began = PeerMonitor.look_after, asyncio.Event()

    async def live_on(self: PeerMonitor) -> Taken:
        if self.me != "0-w1" or began.is_set():
            return await look_after(self)
        began.set()
        with suppress(asyncio.CancelledError):
            await asyncio.Event().wait()
        return Counter()

    monkeypatch.setattr(PeerMonitor, "look_after", live_on)

    with pytest.raises(Broken, match="0-w1 did not end when cancelled"):
        simulate(KILLED_BEFORE)


def test_a_worker_that_goes_home_without_a_look_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker that asks only what can be claimed leaves the item of the one that was killed."""
    monkeypatch.setattr(IdlePolicy, "decision", lambda _, __: True)

    with pytest.raises(Broken, match="the last, exits with 0 while i0 is locked"):
        simulate(KILLED_BEFORE)

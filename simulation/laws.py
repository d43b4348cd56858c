"""What must hold, whatever happens to a fleet. `Laws` observes every script, write and heartbeat of a schedule.

1. No attempt is settled twice, and no item is done whose script never ran to its end.
2. A worker that is told that it settled an item did settle it.
3. No two attempts at one item run at the same time. Where a worker stands still, its guard ends its scripts; where its
   scripts and its guard stood still as well, the guard does so a moment after they go on.
4. A worker that goes home leaves no script behind.
5. When the last worker exits with 0, every item is done or failed, or was in the hands of a living worker a moment ago:
   that worker has just died, or exits with another code, and is replaced. Whoever stood still between its last look
   and its exit knows no better.
6. No healthy worker is taken for dead: while its heartbeats arrive in time, nobody takes its items or its row, and it
   does not fence itself.
7. No worker claims an item from a lane that it does not take. While a worker takes it, such an item ends, too.
8. A worker that says goodbye, as one that halts because too much fails, holds nothing any more: neither what it knows
   of, nor what a claim won whose reply was lost. Left to the others is only a claim that took effect after the worker
   had begun to end, one that a slow index hid from its last looks, and those of a worker that says that it could not
   look, or fenced itself.
9. No item starts while its worker's row says that it waits for room, and only such an item is charged nothing when
   its worker is dead (`charges`).
10. In the end every item is done or failed, unless too many are failed: then every worker has gone home. A worker that
    is cancelled ends (`fleet`).
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass, field

from pyanamo_async.core.items import Item, State
from pyanamo_async.core.queue_lanes import EVERYBODY
from pyanamo_async.core.stored.queue_key import lane_in
from pyanamo_async.core.stored.record import decode
from pyanamo_async.store.dynamodb.codec import unmarshal_row
from pyanamo_async.store.dynamodb.rows import WORKER_ROW
from simulation.charges import Charges
from simulation.index import RUNNING_WORKERS
from simulation.language import Row
from simulation.lives import Life, RunningScript
from simulation.suspension import SuspendableLoop

IN_TIME = 2 / 3  # of a lease: a worker whose heartbeats arrive at least so often is healthy
UNSETTLED = frozenset({str(state) for state in State} - {State.DONE, State.FAILED})
SENDING_S = 20.0  # from the beginning of a heartbeat until its request leaves: its repeats may take the whole interval
LAST_LOOK_S = 15.0  # from the last look of a worker that goes home to its exit: a farewell may be slow
LAST_SIGN_S = 60.0  # from the last heartbeat of a holder to the exit of a worker that saw it


class Broken(AssertionError):
    """A law does not hold."""


@dataclass
class Laws:
    """Observes a fleet."""

    loop: SuspendableLoop
    hides: bool = False  # whether the index may hide a claim for longer than workers look
    known: set[tuple[str, int]] = field(default_factory=set)  # attempts whose worker knows that it claimed them
    running: defaultdict[str, dict[str, RunningScript]] = field(default_factory=lambda: defaultdict(dict))
    settled: dict[tuple[str, int], Item] = field(default_factory=dict)
    finished: Counter[str] = field(default_factory=Counter)
    lives: dict[str, Life] = field(default_factory=dict)
    moved: dict[str, tuple[str, float]] = field(default_factory=dict)  # an item's last holder, and its last move
    charges: Charges = field(default_factory=Charges)
    violations: list[str] = field(default_factory=list)  # kept: a worker survives what is raised in an attempt
    is_over: bool = False

    def broken(self, law: str) -> None:
        """Raise `Broken`, and remember it."""
        if not self.is_over:
            self.violations.append(law)
            raise Broken(law)

    def note(self, law: str) -> None:
        """Remember that a law does not hold, where nothing can be raised."""
        if not self.is_over:
            self.violations.append(law)

    def started(self, item_id: str, attempt: str, script: RunningScript) -> None:
        """Observe the start of a script; `attempt` is the attempt's number and the task."""
        if attempt in self.running[item_id]:
            self.broken(f"{item_id} runs twice under attempt {attempt}")
        self.running[item_id][attempt] = script
        self.look(item_id)
        if wrong := self.charges.started(item_id, attempt):
            self.broken(wrong)

    def ended(self, item_id: str, attempt: str, *, well: bool) -> None:
        """Observe the end of a script."""
        self.running[item_id].pop(attempt, None)
        self.finished[item_id] += well

    def look(self, item_id: str) -> None:
        """Check that the attempts at an item that run now are one, of those that could have been ended."""
        now_s = self.loop.time()
        awake = {
            attempt.partition(" ")[0]
            for attempt, script in self.running[item_id].items()
            if not script.scripts.stopped and now_s >= script.scripts.excused_until_s
        }
        if len(awake) > 1:
            self.broken(f"{item_id} runs under attempts {' and '.join(sorted(awake))}")

    def look_everywhere(self) -> None:
        """Check all items for attempts that overlap."""
        for item_id in list(self.running):
            with suppress(Broken):  # remembered
                self.look(item_id)

    def wrote(self, sender: str, key: str, old: Row | None, new: Row | None) -> None:
        """Observe a write that took effect. Called by the table, where nothing may be raised."""
        if key.startswith(WORKER_ROW):
            self.charges.wrote_worker(key.removeprefix(WORKER_ROW), new)
            if sender != (worker := key.removeprefix(WORKER_ROW)) and not _is_order(old, new):
                self._taken_for_dead(worker, by=sender, how="row written or deleted")
            elif new and _says_goodbye(new):
                self.lives[worker].said_goodbye = True
        elif old and new and "ItemState" in new:
            self._moved(sender, old, new)
            if wrong := self.charges.wrote_item(sender, old, new):
                self.note(wrong)

    def _moved(self, sender: str, old: Row, new: Row) -> None:
        was, state, holder = old["ItemState"]["S"], new["ItemState"]["S"], old.get("InstanceID", {}).get("S", "")
        item_id = new["itemID"]["S"]
        if state == State.LOCKED:
            lane = lane_in(old["Queue_Key"]["S"]) if was == State.TODO else EVERYBODY
            if (life := self.lives.get(sender)) and not life.kind.takes(lane):
                self.note(f"{sender} claims {item_id}, which is in {lane}")
            if was != State.LOCKED:
                self.moved[item_id] = new["InstanceID"]["S"], self.loop.time()
        elif was == State.LOCKED:
            self.moved[item_id] = holder, self.loop.time()
            after = decode(unmarshal_row(new))
            attempt = item_id, after.attempt
            if attempt in self.settled:
                self.note(f"attempt {after.attempt} at {item_id} was settled twice")
            self.settled[attempt] = after
            if sender != holder:
                self._taken_for_dead(holder, by=sender, how=f"{item_id} taken")
        if state == State.DONE and not self.finished[item_id]:
            self.note(f"{item_id} is done and never ran to its end")

    def heartbeat_arrived(self, worker: str) -> None:
        """Observe a heartbeat that its worker sent a moment ago."""
        self.lives[worker].arrived_s = self.loop.time()

    def heartbeat_answered(self, worker: str, sent_s: float) -> None:
        """Observe the reply to a heartbeat."""
        life = self.lives[worker]
        life.answered_s = max(life.answered_s, sent_s)

    def _taken_for_dead(self, worker: str, *, by: str, how: str) -> None:
        if (life := self.lives.get(worker)) is None or life.is_taken_for_dead:
            return
        silent_s = self.loop.time() - life.arrived_s
        life.is_taken_for_dead = True
        is_alive = life.ended_s is None and not life.said_goodbye and not life.process.stopped
        if is_alive and silent_s < IN_TIME * life.lease_s:
            self.note(f"{worker} is healthy, {silent_s:.0f} s after its last heartbeat: {how} by {by}")

    def draining(self, worker: str) -> None:
        """Observe a worker that claims no more."""
        self.lives[worker].drained_s = self.loop.time()

    def left_claims(self, worker: str) -> None:
        """Observe a worker that ends and could not look for what it holds unawares."""
        self.lives[worker].left_claims = True

    def fenced(self, worker: str) -> None:
        """Observe a worker that ends its claims because its heartbeats do not arrive, as far as it knows."""
        life = self.lives[worker]
        life.left_claims = True
        now_s = self.loop.time()
        stood_still = now_s < life.process.excused_until_s + life.lease_s
        silent_s = now_s - life.answered_s
        if not stood_still and not life.is_taken_for_dead and silent_s < IN_TIME * life.lease_s - SENDING_S:
            self.note(f"{worker} is healthy, and fenced itself {silent_s:.0f} s after its last heartbeat")

    def died(self, worker: str) -> None:
        """Observe the end of a worker, whatever its exit code."""
        self.lives[worker].ended_s = self.loop.time()

    def went_home(self, worker: str, items: dict[str, str]) -> None:
        """Observe an exit with 0, while items are in these states."""
        process = self.lives[worker].process
        if left := [
            item_id
            for item_id, attempts in self.running.items()
            if any(process is each.worker for each in attempts.values())
        ]:
            self.broken(f"{worker} went home while its scripts of {', '.join(left)} ran")
        looked_before_it_stood_still = self.loop.time() < process.excused_until_s + LAST_LOOK_S
        if not looked_before_it_stood_still and all(life.ended_s is not None for life in self.lives.values()):
            for item_id, state in items.items():
                if state in UNSETTLED and not self._was_in_living_hands(item_id, state):
                    self.broken(f"{worker}, the last, exits with 0 while {item_id} is {state}")

    def let_go(self, worker: str, held: Collection[tuple[str, int]]) -> None:
        """Observe that a worker said goodbye, and lost nothing, while it still is the holder of these attempts."""
        if left := [item_id for item_id, attempt in held if (item_id, attempt) in self.known]:
            self.broken(f"{worker} ended, and still holds {', '.join(left)}")
        if left := [item_id for item_id, _ in held if self._was_to_be_found(item_id, worker)]:
            self.broken(f"{worker} ended, and holds {', '.join(left)} unawares")

    def _was_to_be_found(self, item_id: str, worker: str) -> bool:
        """Return whether a worker that ended could find that a claim whose reply was lost had won an item."""
        life, now_s = self.lives[worker], self.loop.time()
        looked_s = now_s - LAST_LOOK_S if life.drained_s is None else life.drained_s
        return not (self.hides or life.left_claims) and self.moved[item_id][1] < looked_s

    def _was_in_living_hands(self, item_id: str, state: str) -> bool:
        """Return whether a worker that went home may have seen a living worker hold an item, or nobody yet."""
        holder, moved_s = self.moved.get(item_id, ("", float("-inf")))
        now_s = self.loop.time()
        if moved_s > now_s - LAST_LOOK_S:
            return True
        ended_s = self.lives[holder].ended_s if holder in self.lives else None
        return state == State.LOCKED and ended_s is not None and ended_s > now_s - LAST_SIGN_S

    def believed(self, item_id: str, attempt: int, state: State, reason: str) -> None:
        """Observe what a worker was told of its settle."""
        truth = self.settled.get((item_id, attempt))
        if truth is None or (truth.state, truth.reason) != (state, reason):
            self.broken(f"a worker believes that its attempt {attempt} at {item_id} ended {state}; it did not")


def _is_order(old: Row | None, new: Row | None) -> bool:
    """Return whether a write only tells a worker what it is to do."""
    return bool(old and new) and {**(old or {}), "Desired": None} == {**(new or {}), "Desired": None}


def _says_goodbye(row: Row) -> bool:
    return str(row["Queue"]["S"]) != RUNNING_WORKERS or str(row.get("Gone", {}).get("N", "0")) != "0"

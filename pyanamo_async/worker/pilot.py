"""Conduct a worker: claim items, run attempts at them, settle, until nothing is left or it is told to stop.

1. The first heartbeat comes before the first claim, the last after the last settle.
2. Drain never ends an attempt. Settling finishes even when cancelled.
3. An error of ours in one attempt costs that attempt alone.
4. A worker that stands still by order lets its scripts stand still, too. When it goes on, the lease comes first: they
   go on once a heartbeat has been answered, or are ended.
5. When memory runs short, attempts that use more than they seemed to need are ended, and their items put back.
6. A worker that puts items back on being told to stop notifies the others, and says that it leaves work.
"""

from __future__ import annotations

import asyncio
import signal
from collections import Counter
from functools import partial

from pyanamo_async.core import values
from pyanamo_async.core.items import CLAIMABLE, Item, State, TaskRecord
from pyanamo_async.core.memory.room_wait import NOTHING_WAITS
from pyanamo_async.core.outcomes import InterruptReason
from pyanamo_async.core.text.durations import show_duration
from pyanamo_async.core.workers import Orders, Worker
from pyanamo_async.errors import PyanamoError, TableReplaced, first_of_ours
from pyanamo_async.fleet.going_home import GoingHome
from pyanamo_async.host.waiting import elapsed, shielded
from pyanamo_async.worker.attempt import Attempt
from pyanamo_async.worker.claimer import Claimer
from pyanamo_async.worker.context import AttemptContext, Plan
from pyanamo_async.worker.halting import Halting
from pyanamo_async.worker.heartbeats import Heartbeats
from pyanamo_async.worker.memory_watch import MemoryWatch
from pyanamo_async.worker.publishing import Publisher
from pyanamo_async.worker.releases import ReleaseOrders
from pyanamo_async.worker.run_summary import RunSummary
from pyanamo_async.worker.staggering import stagger
from pyanamo_async.worker.stop import Level, Stop
from pyanamo_async.worker.trouble_log import TroubleLog

SETTLED_WITHIN_S = 10.0  # when the worker is cancelled


class Pilot:
    """One worker."""

    def __init__(self, plan: Plan, context: AttemptContext, going_home: GoingHome, stop: Stop) -> None:
        self._plan, self._context, self._going_home, self._stop = plan, context, going_home, stop
        self._note, self._summary = context.runtime.event_log.note, RunSummary()
        self._attempts, self._is_suspended = set[Attempt](), False
        self._halting = Halting(plan, context, stop, attempts=self._attempts)
        self._releases = ReleaseOrders(context, self._attempts)
        self._memory = MemoryWatch(plan, context, self._attempts)
        self._claimer = Claimer(
            context, stop, plan.worker.slots, releases=self._releases, going_home=going_home, memory=self._memory
        )
        self._publisher = Publisher(context, self._attempts)
        fenced = partial(self._end, InterruptReason.FENCED, at_once=True)
        self._heartbeats = Heartbeats(plan, context, stop, describe=self._describe, ordered=self._heard, fenced=fenced)
        self._memory.room.send_heartbeat = self._heartbeats.hasten

    async def run(self) -> RunSummary:
        """Work until nothing is left, or told to stop, or fenced.

        Raises:
            PyanamoError: the table cannot be worked with at all (missing, denied, another schema).
        """
        try:
            return await self._run()
        except BaseExceptionGroup as group:
            raise first_of_ours(group) or group from None

    def suspend(self) -> None:
        """Stop all scripts, because the process is about to stop."""
        self._is_suspended = True
        self._signal_scripts(signal.SIGSTOP)

    def resume(self) -> None:
        """Go on after the process was stopped, whether by `suspend` or without a word."""
        self._heartbeats.hasten()

    def _heard(self, orders: Orders) -> None:
        """Act on the reply to a heartbeat."""
        if self._is_suspended:
            self._is_suspended = False
            self._signal_scripts(signal.SIGCONT)
        self._publisher.follow_anew(orders)
        self._releases.obey(orders)
        self._memory.heard(orders)

    def _signal_scripts(self, number: int) -> None:
        for attempt in self._attempts:
            attempt.signal(number)

    def _describe(self, row: Worker) -> Worker:
        """Complete the worker's row with what it is doing now."""
        return values.replace(
            row,
            running=len(self._attempts) - (self._memory.room.wait != NOTHING_WAITS),
            done=self._summary.settled[State.DONE],
            rss_bytes=self._plan.rss_bytes(),
            stopped_by=self._stop.reason,
            waiting=self._memory.room.name_wait(),
        )

    async def _run(self) -> RunSummary:
        async with self._heartbeats, asyncio.TaskGroup() as watchers:
            watching = [
                watchers.create_task(self._watch_stop(), name="stop"),
                watchers.create_task(self._watch_wall_time(), name="wall time"),
                watchers.create_task(self._watch_peers(), name="reclaim"),
                watchers.create_task(self._watch_platform(), name="platform"),
                watchers.create_task(self._publisher.run(), name="publisher"),
                watchers.create_task(self._halting.watch(), name="failed items"),
                watchers.create_task(self._memory.run(), name="memory"),
            ]
            try:
                await stagger(self._plan, self._context.runtime, self._stop)
                await self._halting.look()
                async with asyncio.TaskGroup() as attempts:
                    async for item, slot in self._claimer.claims():
                        self._start(item, slot, attempts)
                if trouble := self._claimer.trouble or self._heartbeats.trouble:  # after what ran has come to its end
                    raise trouble
                await self._finish()
            finally:
                for watcher in watching:
                    watcher.cancel()
        return self._summary

    async def _finish(self) -> None:
        summary = self._summary
        summary.ended(self._stop.reason, halted=self._halting.reason, is_fenced=self._heartbeats.is_fenced)
        summary.put_back += self._claimer.put_back
        if self._stop.draining:
            if summary.put_back:
                await self._going_home.notifications.notify()
            summary.work_left = bool(summary.put_back or summary.lost) or await self._going_home.work_left()
        summary.out_of_reach = 0 if summary.work_left else await self._going_home.out_of_reach()
        buried = self._context.adapters.store.bad_rows.buried
        summary.settled += Counter({State.FAILED: self._going_home.peers.taken[State.FAILED] + buried})

    def _start(self, item: Item, slot: int, attempts: asyncio.TaskGroup) -> None:
        self._heartbeats.tell_of_work()
        self._note("item claimed", item=item.item_id, attempt=item.attempt)
        alive, gate = self._heartbeats.alive, self._memory.gate(item)
        attempt = Attempt(item, self._context, alive=alive, slot=slot, task_ended=self._task_ended, gate=gate)
        if not alive() or self._stop.level >= (Level.DRAIN if attempt.is_waiting else Level.STOP):
            attempt.end(self._end_reason())  # claimed while the order came: back, unstarted
        self._attempts.add(attempt)
        attempts.create_task(self._attempt(attempt), name=f"attempt {item.item_id}")

    async def _attempt(self, attempt: Attempt) -> None:
        item, summary = attempt.item, self._summary
        try:
            after = await self._settled(attempt)
        except PyanamoError as lost:  # what ran is not written down; others take the item over when we are gone
            reason = summary.claim_lost(item.item_id, lost)
            self._note("item lost", item=item.item_id, attempt=item.attempt, reason=reason)
        else:
            summary.settled[after.state] += 1
            self._halting.settled(after)
            await self._claimer.settled(item, after)
            summary.put_back += self._stop.draining and after.state in CLAIMABLE
            said = {"item": after.item_id, "attempt": after.attempt, "state": after.state, "reason": after.reason}
            self._note("item settled", **said, retrying=after.is_retrying or None)
            if why := self._claimer.launched(attempt.refusal):
                why = f"this machine cannot start scripts: {why}"
                if not self._stop.draining:
                    summary.failed(why)
                self._stop.request(Level.DRAIN, why)
        finally:
            await attempt.clean_up()
            self._attempts.discard(attempt)
            self._claimer.look_again()

    async def _settled(self, attempt: Attempt) -> Item:
        try:
            try:
                await attempt.run()
            finally:
                self._claimer.slots.put_nowait(attempt.slot)
                self._memory.leave(attempt)
            return await shielded(attempt.settle(), grace_s=SETTLED_WITHIN_S)
        except PyanamoError:
            raise
        except Exception as exc:  # noqa: BLE001 - one of the two borders: our own fault must not cost the others
            self._summary.failed(f"item '{attempt.item.item_id}' was put back after our own fault: {exc!r}")
            self._note("attempt broke", item=attempt.item.item_id, error=repr(exc), exc=exc)
            return await shielded(attempt.give_up(f"our own fault: {exc!r}"), grace_s=SETTLED_WITHIN_S)

    def _task_ended(self, item: Item, record: TaskRecord) -> None:
        self._memory.room.observe(item, record)
        self._halting.task_ended(item, record)

    def _end(self, reason: InterruptReason, *, at_once: bool = False) -> None:
        for attempt in self._attempts:
            attempt.end(reason, at_once=at_once)

    def _end_reason(self) -> InterruptReason:
        return InterruptReason.FENCED if self._heartbeats.is_fenced else InterruptReason.STOP

    async def _watch_stop(self) -> None:
        stop = self._stop
        await stop.drain.wait()
        self._note_stop("draining")
        self._heartbeats.hasten()  # its row says why it is about to end
        self._claimer.look_again()
        self._memory.end_waiting(self._end_reason())
        await stop.stop.wait()
        self._heartbeats.hasten()
        scripts = sum(attempt.running for attempt in self._attempts)
        self._note_stop("stopping", scripts=scripts, grace=show_duration(self._plan.grace))
        for attempt in self._attempts:
            attempt.end_checkpointing(self._end_reason())
        await elapsed(stop.now, self._plan.grace.total_seconds())
        self._end(self._end_reason(), at_once=stop.now.is_set())
        await stop.now.wait()
        self._note_stop("stopping now")
        self._end(self._end_reason(), at_once=True)

    def _note_stop(self, event: str, **fields: object) -> None:
        if not self._heartbeats.is_fenced:  # which was noted, and leaves no time between these
            self._note(event, reason=self._stop.reason, **fields)

    async def _watch_wall_time(self) -> None:
        if (left_s := self._context.wall_time.left_s(self._context.runtime.clock.monotonic())) is None:
            return
        await asyncio.sleep(left_s)
        self._stop.request(Level.DRAIN, "wall time")
        self._end(InterruptReason.WALL_TIME)

    async def _watch_platform(self) -> None:
        if interruption := self._plan.interruption:
            self._stop.request(Level.STOP, await interruption())

    async def _watch_peers(self) -> None:
        """Look after the other workers: at once, then about once a heartbeat."""
        runtime, every_s = self._context.runtime, self._plan.heartbeat.total_seconds()
        trouble = TroubleLog(runtime.event_log, "reclaim failed")
        while True:
            try:
                with trouble.noted():
                    if await self._going_home.peers.look_after():
                        self._claimer.look_again()
                    await self._releases.withdraw_obsolete()
            except TableReplaced:
                return
            await asyncio.sleep(every_s * (0.5 + runtime.rng.random()))  # scattered among workers

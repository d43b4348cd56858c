"""Conduct a worker: claim items, run attempts at them, settle, until nothing is left or it is told to stop.

Laws: the beat starts before the first claim and ends after the last settle. Drain never ends an attempt. Settling
finishes even when cancelled. An error of ours in one attempt costs that attempt alone.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import timedelta

from pyanamo_async.core import values
from pyanamo_async.core.items import Item, State
from pyanamo_async.core.outcomes import InterruptReason
from pyanamo_async.core.workers import FleetState, Worker
from pyanamo_async.errors import Fenced, PyanamoError, Unavailable
from pyanamo_async.fleet import leftovers
from pyanamo_async.fleet.idle_policy import IdlePolicy
from pyanamo_async.host.waiting import elapsed, followed_up
from pyanamo_async.worker.attempt import Attempt, Tools
from pyanamo_async.worker.claimer import Claims
from pyanamo_async.worker.heartbeats import Heartbeats
from pyanamo_async.worker.publishing import Publisher
from pyanamo_async.worker.stop import Level, Stop


@dataclass(frozen=True, slots=True)
class Plan:
    """How a worker is to work."""

    slots: int
    grace: timedelta = timedelta(seconds=20)
    idle_policy: IdlePolicy = field(default_factory=IdlePolicy)


@dataclass(slots=True)
class RunSummary:
    """What a worker did: items by the state it settled them in, those it lost, and whether it left work behind."""

    settled: Counter[State] = field(default_factory=Counter)
    fenced: int = 0
    errors: int = 0
    work_left: bool = False
    stopped: str = ""


class Pilot:
    """One worker."""

    def __init__(
        self,
        plan: Plan,
        tools: Tools,
        heartbeats: Heartbeats,
        stop: Stop,
        *,
        reclaim: Callable[[], Awaitable[Counter[State]]],
        fleet_state: Callable[[timedelta], Awaitable[FleetState]],
        every: timedelta,
        rss_bytes: Callable[[], int] = lambda: 0,
        notice: Callable[[], Awaitable[str]] | None = None,
    ) -> None:
        self._plan, self._heartbeats, self._stop = plan, heartbeats, stop
        self._tools = replace(tools, alive=heartbeats.alive)
        self._reclaim, self._ask_fleet_state, self._every_s = reclaim, fleet_state, every.total_seconds()
        self._rss_bytes = rss_bytes
        self._notice = notice
        self._attempts: set[Attempt] = set()
        self._tally = RunSummary()
        self._claims = Claims(
            self._tools,
            stop,
            slots=plan.slots,
            idle_policy=plan.idle_policy,
            attempts=self._attempts,
            fleet_state=self._fleet_state,
        )
        self._publisher = Publisher(
            tools.worker, self._attempts, store=tools.store, clock=tools.clock, event_log=tools.event_log
        )
        heartbeats.on_heartbeat = self._publisher.hear
        heartbeats.vitals = self._vitals
        heartbeats.on_fence = lambda: self._end(InterruptReason.FENCED, at_once=True)

    async def run(self) -> RunSummary:
        """Work until nothing is left, or told to stop, or fenced.

        Raises:
            PyanamoError: the table cannot be worked with at all (missing, denied, another schema).
        """
        try:
            return await self._run()
        except BaseExceptionGroup as group:
            raise _first_of_ours(group) or group from None

    async def _run(self) -> RunSummary:
        async with self._heartbeats, asyncio.TaskGroup() as watchers:
            watching = [
                watchers.create_task(self._watch_stop(), name="stop"),
                watchers.create_task(self._watch_wall_time(), name="wall time"),
                watchers.create_task(self._watch_others(), name="reclaim"),
                watchers.create_task(self._watch_platform(), name="platform"),
                watchers.create_task(self._publisher.run(), name="publisher"),
            ]
            try:
                async with asyncio.TaskGroup() as attempts:
                    async for item in self._claims.items():
                        self._start(item, attempts)
                if self._claims.trouble is not None:  # after what ran has come to its end
                    raise self._claims.trouble
                self._heartbeats.all_settled = None if self._stop.draining else self._claims.leaving.all_settled
                self._tally.stopped = self._stop.reason
                if self._stop.draining:
                    await leftovers.notify(self._tools.store, self._tally.settled, clock=self._tools.clock)
                    self._tally.work_left = bool(self._tally.fenced) or await leftovers.is_any(
                        self._tools.store, self._ask_fleet_state
                    )
            finally:
                for watcher in watching:
                    watcher.cancel()
        return self._tally

    def _start(self, item: Item, attempts: asyncio.TaskGroup) -> None:
        attempt = Attempt(item, self._tools)
        if (
            not self._heartbeats.alive() or self._stop.level >= Level.STOP
        ):  # claimed while the order came: back, unstarted
            attempt.end(InterruptReason.FENCED if self._heartbeats.fenced else InterruptReason.STOP)
        self._attempts.add(attempt)
        attempts.create_task(self._attempt(attempt), name=f"attempt {item.item_id}")

    async def _attempt(self, attempt: Attempt) -> None:
        note, item = self._tools.event_log.note, attempt.item
        note("item claimed", item=item.item_id, attempt=item.attempt)
        try:
            after = await self._settled(attempt)
        except PyanamoError as lost:  # what ran is not written down; others will find the item when our lease is over
            self._tally.fenced += 1
            self._tally.errors += not isinstance(lost, Fenced | Unavailable)
            note("item lost", item=item.item_id, attempt=item.attempt, reason=str(lost))
        else:
            self._tally.settled[after.state] += 1
            note("item settled", item=after.item_id, attempt=after.attempt, state=after.state, reason=after.reason)
            self._see_to_machine(attempt)
        finally:
            if attempt.gave_up:
                await attempt.tidy_up()
            self._attempts.discard(attempt)
            self._claims.look_again()

    async def _settled(self, attempt: Attempt) -> Item:
        try:
            try:
                await attempt.run()
            finally:
                self._claims.done_with_slot()
            return await asyncio.shield(followed_up(attempt.settle()))
        except PyanamoError:
            raise
        except Exception as exc:  # noqa: BLE001 - one of the two borders: our own fault must not cost the others
            self._tally.errors += 1
            self._tools.event_log.note("attempt broke", item=attempt.item.item_id, error=repr(exc), exc=exc)
            return await asyncio.shield(followed_up(attempt.give_up(f"our own fault: {exc!r}")))

    def _see_to_machine(self, attempt: Attempt) -> None:
        """Claim more slowly on a machine that cannot start scripts, and go home when it cannot for minutes."""
        if not attempt.refusal:
            self._claims.rest.end()
        elif not self._claims.rest.take():
            self._tally.errors += not self._stop.draining
            self._stop.request(Level.DRAIN, f"this machine cannot start scripts: {attempt.refusal}")

    def _end(self, why: InterruptReason, *, at_once: bool = False) -> None:
        for attempt in self._attempts:
            attempt.end(why, at_once=at_once)

    async def _watch_stop(self) -> None:
        stop = self._stop
        await stop.drain.wait()
        self._tools.event_log.note("draining", reason=stop.reason)
        self._claims.look_again()
        await stop.stop.wait()
        await elapsed(stop.now, self._plan.grace.total_seconds())
        why = InterruptReason.FENCED if self._heartbeats.fenced else InterruptReason.STOP
        self._end(why, at_once=stop.now.is_set())
        await stop.now.wait()
        self._end(why, at_once=True)

    async def _watch_wall_time(self) -> None:
        keeper = self._tools.keeper
        if keeper.budget_s is None:
            return
        await asyncio.sleep(max(0.0, keeper.deadline_s - self._tools.elapsed_s()))
        self._stop.request(Level.DRAIN, "wall time")
        self._end(InterruptReason.WALL_TIME)

    async def _watch_platform(self) -> None:
        """Stop when the platform says that it is about to take the machine away."""
        if self._notice is not None:
            self._stop.request(Level.STOP, await self._notice())

    async def _watch_others(self) -> None:
        """Look after workers that vanished: at once, then about once a beat."""
        while True:
            try:
                with suppress(Unavailable):  # the beats say that the store is away
                    await self._look_after()
            except PyanamoError as trouble:
                self._tools.event_log.note("reclaim failed", trouble=str(trouble))
            await asyncio.sleep(self._every_s * (0.5 + self._tools.rng.random()))  # scattered among workers

    async def _look_after(self) -> bool:
        taken = await self._reclaim()
        if taken:
            back, failed = taken[State.TODO], taken[State.FAILED]
            self._tools.event_log.note("items reclaimed", back=back, failed=failed)
            self._tally.settled += Counter({State.FAILED: failed})
            self._claims.look_again()
        return bool(taken)

    async def _fleet_state(self, idle: timedelta) -> FleetState:
        return FleetState(may_come_back=True) if await self._look_after() else await self._ask_fleet_state(idle)

    def _vitals(self, row: Worker) -> Worker:
        return values.replace(
            row,
            slots=self._plan.slots,
            running=len(self._attempts),
            done=self._tally.settled[State.DONE],
            rss_bytes=self._rss_bytes(),
        )


def _first_of_ours(error: BaseException) -> PyanamoError | None:
    """Find what we could not do, in the middle of what that ended."""
    if isinstance(error, BaseExceptionGroup):
        return next((found for inner in error.exceptions if (found := _first_of_ours(inner))), None)
    return error if isinstance(error, PyanamoError) else None

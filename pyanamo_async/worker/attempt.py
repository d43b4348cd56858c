"""One attempt at one item: run its tasks, keep their progress, settle the claim.

Single and nested items are run by the same code. Laws: finished tasks of a nested item are written down while others
still run, those that end close together in one write. Every write passes the fence; when it is lost, scripts are ended
and nothing more is written. A store that is away is waited for; it never ends a script.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta

from pyanamo_async.core import transitions
from pyanamo_async.core.capture import Capture
from pyanamo_async.core.failure_policy import FailurePolicy
from pyanamo_async.core.items import Item, Task, TaskRecord
from pyanamo_async.core.outcomes import Interrupted, InterruptReason
from pyanamo_async.core.output_tail import OutputTail
from pyanamo_async.core.stored.budget import inline_bytes
from pyanamo_async.core.wall_time import WallTimeBudget
from pyanamo_async.errors import Fenced, LaunchRefused, PyanamoError
from pyanamo_async.host.waiting import elapsed
from pyanamo_async.ports import Clock, Command, EventLog, Launcher, OutputKey, OutputStore, Sink, Store
from pyanamo_async.worker.patience import Patience
from pyanamo_async.worker.recorder import Recorder
from pyanamo_async.worker.script import KillPolicy, Script

PROGRESS_PAUSE_S = 1.0  # tasks that end within it share one write


@dataclass(frozen=True, slots=True)
class Tools:
    """What every attempt of a worker works with.

    `table` is the name output is filed under, `address` what scripts are told of the table. `alive` tells whether the
    worker's lease still holds by its own clock; nothing is written when it does not.
    """

    table: str
    address: str
    worker: str
    store: Store
    outputs: OutputStore
    launcher: Launcher
    clock: Clock
    rng: random.Random
    event_log: EventLog
    patience: Patience
    keeper: WallTimeBudget
    policy: FailurePolicy
    kill_policy: KillPolicy
    environ: Mapping[str, str]
    nests: int = 1
    timeout: timedelta | None = None
    elapsed_s: Callable[[], float] = lambda: 0.0
    alive: Callable[[], bool] = lambda: True


class Attempt:
    """Runs one claimed item. `end` makes it stop early; `run` returns the item as it was settled."""

    def __init__(self, item: Item, tools: Tools) -> None:
        self.item = item
        self._tools = tools
        self._saved = item
        self._results: dict[str, TaskRecord] = {}
        self._scripts: dict[str, Script] = {}  # those that run, by task name
        self.gave_up: list[Script] = []  # storing their output
        self._why: InterruptReason | None = None
        self.refusal = ""  # why this machine could not start a script
        self._fenced = asyncio.Event()
        self._unsaved = asyncio.Event()

    def end(self, why: InterruptReason, *, at_once: bool = False) -> None:
        """End what runs and start no further task."""
        if self._why is None or why is InterruptReason.FENCED:
            self._why = why
        if why is InterruptReason.FENCED:
            self._fenced.set()
        for script in self._scripts.values():
            script.end(why, at_once=at_once)

    def watch(self, task: str) -> OutputTail | None:
        """Show what a task printed last; None when it does not run."""
        script = self._scripts.get(task)
        return script.watch() if script else None

    async def run(self) -> None:
        """Run the tasks that are still to run, as many at a time as nested tasks may.

        Raises:
            Fenced: the claim was lost; nothing more may be written.
        """
        if len(self.item.todo) == 1:
            await self._run_task(self.item.todo[0])
        else:
            await self._run_tasks(self.item.todo)
        if self._fenced.is_set():
            raise Fenced(f"the claim on item '{self.item.item_id}' is over")

    async def settle(self) -> Item:
        """End the claim with the one write that says what became of the item.

        Raises:
            Fenced: the claim was lost; nothing was written.
            Unavailable: the store was away until the claim was given up.
        """
        tools = self._tools
        after = transitions.settle(
            self.item,
            self._results,
            interrupted_by=self._why,
            now=tools.clock.now(),
            policy=tools.policy,
            jitter=tools.rng.random(),
        )
        await self._save(after)
        return after

    async def tidy_up(self) -> None:
        """Throw away output that was given up: after the settle, for a storage that is away takes its time for it."""
        discards = (script.discard() for script in self.gave_up)
        for trouble in await asyncio.gather(*discards, return_exceptions=True):
            if isinstance(trouble, Exception):
                self._tools.event_log.note("output left behind", item=self.item.item_id, trouble=repr(trouble))

    async def give_up(self, problem: str) -> Item:
        """Put the item back after a fault of ours; raises as `settle` does."""
        tools = self._tools
        after = transitions.settle_internal_error(self._saved, problem, now=tools.clock.now(), policy=tools.policy)
        await self._save(after)
        return after

    async def _run_tasks(self, tasks: tuple[Task, ...]) -> None:
        places = asyncio.Semaphore(self._tools.nests)
        finished = asyncio.Event()
        async with asyncio.TaskGroup() as group:
            group.create_task(self._keep_progress(finished), name="progress")
            async with asyncio.TaskGroup() as running:
                for task in tasks:
                    await places.acquire()
                    if not self._may_start():
                        break
                    running.create_task(self._in_place(task, places), name=f"task {task.name}")
            finished.set()
            self._unsaved.set()

    def _may_start(self) -> bool:
        tools = self._tools
        if self._why is None and not tools.keeper.fits(tools.elapsed_s()):
            self._why = InterruptReason.WALL_TIME
        return self._why is None

    async def _in_place(self, task: Task, places: asyncio.Semaphore) -> None:
        try:
            await self._run_task(task)
        finally:
            places.release()

    async def _run_task(self, task: Task) -> None:
        tools = self._tools
        if not tools.alive() or self._why is not None:  # it may have stood still since the claim
            return
        script = self._script(task)
        self._scripts[task.name] = script
        try:
            record = await script.run(tools.launcher, tools.clock, attempt=self.item.attempt, worker=tools.worker)
        except Fenced:
            return  # `run` says so, once for all tasks
        except LaunchRefused as refusal:
            self.refusal = str(refusal)
            self._why = self._why or InterruptReason.MACHINE
            return
        finally:
            del self._scripts[task.name]
        if not isinstance(record.outcome, Interrupted):
            tools.keeper.observe(record.seconds)
        if script.gave_up:
            self.gave_up.append(script)
        self._results[task.name] = record
        self._unsaved.set()

    def _script(self, task: Task) -> Script:
        tools, item = self._tools, self.item
        budget = inline_bytes(len(item.tasks))

        def recorder(stream: str) -> Recorder:
            def sink() -> Sink:  # which most outputs never need
                return tools.outputs.open(OutputKey(tools.table, item.item_id, task.name, item.attempt, stream))

            return Recorder(Capture(budget, tagged=stream == "stdout"), sink)

        return Script(
            Command(task.script, self._environment(task)),
            limit=item.timeout or tools.timeout,
            stdout=recorder("stdout"),
            stderr=recorder("stderr"),
            kill_policy=tools.kill_policy,
        )

    def _environment(self, task: Task) -> Mapping[str, str]:
        return {
            **self._tools.environ,
            "PYANAMO_TABLE": self._tools.address,
            "PYANAMO_ITEM_ID": self.item.item_id,
            "PYANAMO_TASK_ID": self.item.sample,
            "PYANAMO_TASK": task.name,
            "PYANAMO_ATTEMPT": str(self.item.attempt),
        }

    async def _keep_progress(self, finished: asyncio.Event) -> None:
        """Write down finished tasks while others run; the last ones are left to the settle."""
        while True:
            await self._unsaved.wait()
            if not await elapsed(finished, PROGRESS_PAUSE_S):
                return
            self._unsaved.clear()
            try:
                await self._save(transitions.record(self.item, self._results, policy=self._tools.policy))
            except Fenced:
                self.end(InterruptReason.FENCED, at_once=True)
                return
            except PyanamoError as trouble:  # scripts run on; the settle will say the same, and count
                self._tools.event_log.note("progress not written", item=self.item.item_id, trouble=trouble.what)
                return

    async def _save(self, after: Item) -> None:
        if self._fenced.is_set() or not self._tools.alive():
            raise Fenced(f"the claim on item '{after.item_id}' is over")
        before = self._saved
        await self._tools.patience.call(lambda: self._tools.store.save(before, after), given_up=self._fenced)
        self._saved = after

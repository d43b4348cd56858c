"""One attempt at one item: run its tasks, keep their progress, settle the claim.

Single and nested items are run by the same code.

1. Finished tasks of a nested item are written down while others still run; those that end close together share a write.
2. Every write passes the fence; when it is lost, scripts are ended and nothing more is written.
3. A store that is away is waited for; it ends no script while the worker's lease lasts.
4. No two scripts that run at the same time in one worker have the same `PYANAMO_SLOT`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from typing import Any

from pyanamo_async.core import transitions
from pyanamo_async.core.items import Item, Task, TaskRecord, TaskState
from pyanamo_async.core.outcomes import Checkpointed, Interrupted, InterruptReason, NotStarted
from pyanamo_async.core.output_tail import OutputTail
from pyanamo_async.errors import CheckpointRefused, Fenced, LaunchRefused, PyanamoError
from pyanamo_async.host.waiting import elapsed
from pyanamo_async.ports import Command
from pyanamo_async.worker.context import AttemptContext
from pyanamo_async.worker.placing import place
from pyanamo_async.worker.recorder import recorder_for
from pyanamo_async.worker.script import Script
from pyanamo_async.worker.task_environment import task_environment
from pyanamo_async.worker.task_folders import TaskFolders, folders_for

PROGRESS_PAUSE_S = 1.0  # tasks that end within it share one write


class Attempt:
    """Runs one claimed item in a slot. `end` makes it stop early; `settle` ends the claim when `run` has ended.

    `alive` tells whether the lease still holds by our own clock; when it does not, nothing more may be written.
    `task_ended` hears of each task that ran. Nothing starts before `gate` is set, if there is one.
    """

    def __init__(
        self,
        item: Item,
        context: AttemptContext,
        *,
        alive: Callable[[], bool],
        slot: int,
        task_ended: Callable[[Item, TaskRecord], None] = lambda _item, _record: None,
        gate: asyncio.Event | None = None,
    ) -> None:
        self.item, self.slot, self.was_alone = item, slot, True  # nothing else ran beside it
        self._context, self._alive, self._task_ended, self._gate = context, alive, task_ended, gate
        self._note = context.runtime.event_log.note
        self._saved = item
        self._results: dict[str, TaskRecord] = {}
        self._scripts: dict[str, Script] = {}  # those that run, by task name
        self._folders: dict[str, TaskFolders] = {}
        self._leftovers: list[Callable[[], Coroutine[Any, Any, None]]] = []
        self._end_reason: InterruptReason | None = None
        self.refusal: NotStarted | None = None  # why this machine could not start a script
        self._fenced, self._unsaved = asyncio.Event(), asyncio.Event()

    def end(self, reason: InterruptReason, *, at_once: bool = False) -> None:
        """End what runs and start no further task."""
        if self._end_reason is None or reason is InterruptReason.FENCED:
            self._end_reason = reason
        if reason is InterruptReason.FENCED:
            self._fenced.set()
        if self._gate is not None:
            self._gate.set()
        for script in self._scripts.values():
            script.end(reason, at_once=at_once)

    def end_checkpointing(self, reason: InterruptReason) -> None:
        """End the scripts that leave checkpoints, and start no further task."""
        chosen = [script for script in self._scripts.values() if script.has_checkpoints]
        if chosen:
            self.start_no_more(reason)
        for script in chosen:
            script.end(reason)

    def start_no_more(self, reason: InterruptReason) -> None:
        """Start no further task; what runs comes to its own end."""
        self._end_reason = self._end_reason or reason

    @property
    def is_waiting(self) -> bool:
        """Return whether it waits for room."""
        return self._gate is not None and not self._gate.is_set()

    @property
    def pids(self) -> list[int]:
        """Return the process ids of its scripts."""
        return [script.pid for script in self._scripts.values() if script.pid is not None]

    @property
    def running(self) -> int:
        """Return how many scripts run."""
        return len(self._scripts)

    def signal(self, number: int) -> None:
        """Send a signal to the process groups of the scripts that run."""
        for script in self._scripts.values():
            script.signal(number)

    def watch(self, task: str) -> OutputTail | None:
        """Return what a task printed last; None when it does not run."""
        script = self._scripts.get(task)
        return script.watch() if script else None

    async def run(self) -> None:
        """Wait for room, then run the tasks that are still to run, as many at a time as nested tasks may."""
        if self._gate is not None:
            await self._gate.wait()
            if self._end_reason is None:
                self._note("item has room", item=self.item.item_id)
        tasks, nests = self.item.todo, self._context.tasks.nests
        if len(tasks) == 1:
            await self._run_task(tasks[0], 0)
            return
        waiting, finished = iter(tasks), asyncio.Event()
        async with asyncio.TaskGroup() as group:
            group.create_task(self._keep_progress(finished), name="progress")
            async with asyncio.TaskGroup() as running:
                for place in range(min(nests, len(tasks))):
                    running.create_task(self._run_tasks(waiting, place), name=f"place {place}")
            finished.set()
            self._unsaved.set()

    async def settle(self) -> Item:
        """End the claim with the one write that says what became of the item.

        Raises:
            Fenced: the claim was lost; nothing was written.
            Unavailable: the store was away until the claim was given up.
        """
        runtime = self._context.runtime
        ended = transitions.settle(
            self.item,
            self._results,
            interrupted_by=self.refusal if self._end_reason is InterruptReason.MACHINE else self._end_reason,
            now=runtime.clock.now(),
            policy=self._context.tasks.failure_policy,
            jitter=runtime.rng.random(),
        )
        after = await place(self.item, ended, self._context, was_alone=self.was_alone, give_up=self._fenced)
        await self._save(after)
        return after

    async def clean_up(self) -> None:
        """Remove folders, superfluous checkpoints and output not stored in time. Slow: call it after the settle."""
        if not (self._folders or self._leftovers):  # as of most items: no turn of the loop for nothing
            return
        done = {task.name for task in self._saved.tasks if task.state is TaskState.DONE}  # the table says so
        again = {name for name, record in self._results.items() if isinstance(record.outcome, Checkpointed)}
        forgets = (
            folders.forget_checkpoints if name in done else folders.forget_older_checkpoints
            for name, folders in self._folders.items()
            if name in done | again
        )
        removes = (folders.remove for folders in self._folders.values())
        leftovers = [*self._leftovers, *removes, *forgets]
        for trouble in await asyncio.gather(*(remove() for remove in leftovers), return_exceptions=True):
            if isinstance(trouble, Exception):
                self._note("output left behind", item=self.item.item_id, trouble=repr(trouble))

    async def give_up(self, problem: str) -> Item:
        """Put the item back after a fault of ours, with the tasks that ended before it; raises as `settle` does."""
        policy = self._context.tasks.failure_policy
        recorded = transitions.record(self.item, self._results, policy=policy)  # as claimed: nothing counts twice
        try:
            return await self._put_back(recorded, problem)
        except PyanamoError:
            raise
        except Exception:  # noqa: BLE001 - the border of an attempt: it may be the results that cannot be written
            return await self._put_back(self._saved, problem)

    async def _put_back(self, item: Item, problem: str) -> Item:
        now, policy = self._context.runtime.clock.now(), self._context.tasks.failure_policy
        after = transitions.settle_internal_error(item, problem, now=now, policy=policy)
        await self._save(after)
        return after

    async def _run_tasks(self, waiting: Iterator[Task], place: int) -> None:
        for task in waiting:
            if self._end_reason is None and not self._context.wall_time.fits(self._context.runtime.clock.monotonic()):
                self._end_reason = InterruptReason.WALL_TIME
            await self._run_task(task, place)

    async def _run_task(self, task: Task, place: int) -> None:
        if not self._alive() or self._end_reason is not None:  # the worker may have been stopped since the claim
            return
        folders = folders_for(self.item, task, self._context)
        self._scripts[task.name] = script = self._script(task, place, folders)
        try:
            record = await script.run()
        except LaunchRefused as refusal:
            self.refusal = NotStarted(refusal.what, isinstance(refusal, CheckpointRefused))
            self._note("script not started", item=self.item.item_id, trouble=str(refusal))
            self._end_reason = self._end_reason or InterruptReason.MACHINE
            return
        finally:
            del self._scripts[task.name]
            if folders is not None:
                self._folders[task.name] = folders
        if not isinstance(record.outcome, Interrupted | Checkpointed):
            self._context.wall_time.observe(record.seconds)
        if script.gave_up:
            self._leftovers.append(script.discard)
        self._results[task.name] = record
        self._unsaved.set()
        self._task_ended(self.item, record)

    def _script(self, task: Task, place: int, folders: TaskFolders | None) -> Script:
        item = self.item
        return Script(
            Command(task.script, task_environment(self.item, task, self._context.tasks, slot=self.slot, place=place)),
            self._context,
            attempt=item.attempt,
            limit=item.timeout or self._context.tasks.timeout,
            stdout=recorder_for(item, task, "stdout", self._context),
            stderr=recorder_for(item, task, "stderr", self._context),
            folders=folders,
        )

    async def _keep_progress(self, finished: asyncio.Event) -> None:
        """Write down finished tasks while others run; the last ones are left to the settle."""
        policy = self._context.tasks.failure_policy
        while True:
            await self._unsaved.wait()
            if not await elapsed(finished, PROGRESS_PAUSE_S):
                return
            self._unsaved.clear()
            try:
                await self._save(transitions.record(self.item, self._results, policy=policy))
            except Fenced:
                self.end(InterruptReason.FENCED, at_once=True)
                return
            except PyanamoError as trouble:  # scripts run on; the settle will fail the same way, and count
                self._note("progress not written", item=self.item.item_id, trouble=trouble.what)
                return

    async def _save(self, after: Item) -> None:
        if self._fenced.is_set() or not self._alive():
            raise Fenced(f"the claim on item '{after.item_id}' is over")
        before = self._saved
        await self._context.calls.call(lambda: self._context.adapters.store.save(before, after), give_up=self._fenced)
        self._saved = after

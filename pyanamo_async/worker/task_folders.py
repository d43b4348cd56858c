"""The folders of one attempt at one task: made before it starts, kept when it ends, removed after its claim has ended.

1. A task that asked for no folder has none, and none of this runs.
2. `done` implies that the results are stored: those that cannot be are a failure that says so.
3. All folders of an attempt are in one, on the fastest disk of the machine.
4. A script finds its checkpoint folder as the last attempt left it. What is there is stored again and again while it
   runs, and at its end if it came to that itself: with exit status 0 or 85, also after TERM.
5. Exit status 85 means "checkpoint taken, run me again". Without a new checkpoint it is a failure, as any other status.
"""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path

from pyanamo_async.core.folders import CHECKPOINT_EXIT, VARIABLES, Folder, Folders, folders_of, requested_before_s
from pyanamo_async.core.items import Item, Task
from pyanamo_async.core.outcomes import Checkpointed, Failed, InterruptReason, Outcome, Succeeded, trouble_detail
from pyanamo_async.core.results import CheckpointUse, Results
from pyanamo_async.core.values import replace
from pyanamo_async.errors import LaunchRefused, OutputError
from pyanamo_async.host.waiting import elapsed
from pyanamo_async.host.working_folders import THREADS, remove_folder
from pyanamo_async.ports import Command, Exit, ObjectKey, Sink
from pyanamo_async.worker.checkpoints import Checkpoints
from pyanamo_async.worker.context import AttemptContext
from pyanamo_async.worker.results import store_results

TMP = "tmp"
REQUESTED = ".requested"
KEPT_WITHIN_S = 6.0  # behind the grace of a stop, so 26 s after SIGTERM: settling takes some of what is left of 30
SOON = 0.25  # of the time between checkpoints, after one that failed


class TaskFolders:
    """The folders `wanted` of an attempt at the task of `key`, whose item has the `mark`.

    Checkpoints of attempts below `since` are not restored.
    """

    def __init__(
        self, wanted: Folders, context: AttemptContext, key: ObjectKey, *, attempt: int, mark: str, since: int
    ) -> None:
        self._wanted, self._key, self._attempt, self._mark, self._since = wanted, key, attempt, mark, since
        self._context = context
        self._working_folders, self._objects = context.adapters.working_folders, context.adapters.objects
        self._folder: Path | None = None
        self._checkpoints: Checkpoints | None = None
        self._ended = asyncio.Event()
        self._watching: list[asyncio.Task[None]] = []
        self._began_s = self._last_s = 0.0
        self._unfinished: list[Sink] = []
        self.results = Results()

    @property
    def has_checkpoints(self) -> bool:
        """Return whether the task asked for checkpoints."""
        return Folder.CHECKPOINT in self._wanted

    @property
    def checkpoint(self) -> CheckpointUse:
        """Return what a record says of checkpoints."""
        each = self._checkpoints
        if each is None:
            return CheckpointUse()
        stored, restored = each.stored, each.restored
        use = CheckpointUse(made_progress=each.made_progress())
        if stored is not None:
            use = replace(
                use,
                stored=str(each.stored_at),
                files=stored.files,
                size_bytes=stored.size_bytes,
                seconds=stored.seconds,
            )
        if restored is not None:
            use = replace(use, restored=str(each.restored_from), restored_seconds=restored.seconds)
        return use

    def took_checkpoint(self, outcome: Outcome) -> bool:
        """Return whether the script came to its own end with the status that says so."""
        return self.has_checkpoints and isinstance(outcome, Failed) and outcome.exit_code == CHECKPOINT_EXIT

    def kill_after(self, reason: InterruptReason | None) -> timedelta:
        """Return how long after TERM the script is killed: with checkpoints it has all the grace of a stop for them."""
        policy = self._context.tasks.kill_policy
        is_stopped = self.has_checkpoints and reason is InterruptReason.STOP
        return policy.grace if is_stopped else policy.kill_after

    def keep_within_s(self, reason: InterruptReason | None) -> float:
        """Return how long after an order to end, of which TERM is the first step, what is to be kept may take."""
        is_late = reason is InterruptReason.STOP and not self.has_checkpoints  # the grace is over
        return KEPT_WITHIN_S + (0.0 if is_late else self.kill_after(reason).total_seconds())

    async def make(self, command: Command) -> Command:
        """Make the folders, restore the checkpoint, and return a command that finds them.

        Raises:
            LaunchRefused: this machine has no place for them for now.
            LaunchFailed: the checkpoint is damaged.
        """
        names = [*sorted(self._wanted), *([f"{Folder.SCRATCH}/{TMP}"] if Folder.SCRATCH in self._wanted else [])]
        try:
            folder = self._folder = await THREADS.run(self._working_folders.make, *names)
        except OSError as error:
            raise LaunchRefused(
                f"no folder for a task can be made: {error.strerror}", hint="TMPDIR names another disk"
            ) from error
        if self.has_checkpoints:
            where = folder / Folder.CHECKPOINT
            self._checkpoints = Checkpoints(
                where, self._objects, self._key, attempt=self._attempt, mark=self._mark, since=self._since
            )
            await self._checkpoints.restore()
        variables = {variable: str(folder / each) for each, variable in VARIABLES.items() if each in self._wanted}
        if Folder.SCRATCH not in self._wanted:
            return replace(command, env={**command.env, **variables})
        scratch = str(folder / Folder.SCRATCH)
        env = {**command.env, **variables, "PWD": scratch, "TMPDIR": f"{scratch}/{TMP}"}
        return replace(command, env=env, folder=scratch)

    def begin(self) -> None:
        """Begin to store checkpoints: the script runs now."""
        self._began_s = self._context.runtime.clock.monotonic()
        if self._checkpoints is not None and self._folder is not None:
            self._watching = [
                asyncio.create_task(self._store_again_and_again(self._checkpoints), name="checkpoints"),
                asyncio.create_task(self._request_one(self._folder), name="request of a checkpoint"),
            ]

    async def keep(self, outcome: Outcome, used: Exit) -> Outcome:
        """Store what the task left, once nothing of its group is left; return its outcome, which that may change."""
        self._ended.set()
        if self._folder is None or used == Exit(None, None):
            return outcome
        if self._checkpoints is not None:
            outcome = await self._keep_checkpoint(self._checkpoints, outcome, used)
        if isinstance(outcome, Succeeded) and Folder.RESULTS in self._wanted:
            try:
                self.results = await store_results(
                    self._folder / Folder.RESULTS,
                    self._objects,
                    self._key,
                    attempt=self._attempt,
                    mark=self._mark,
                    unfinished=self._unfinished,
                )
            except OutputError as error:
                return Failed(exit_code=0, detail=trouble_detail(f"results not stored: {error.what}"))
        return outcome

    async def remove(self) -> None:
        """Remove the folders with all that is in them, and what could not be stored of it."""
        await self.stop()
        unfinished = [*self._unfinished, *(self._checkpoints.unfinished if self._checkpoints else ())]
        await asyncio.gather(*(each.abort() for each in unfinished))
        if self._folder is not None:
            await THREADS.run(remove_folder, self._folder)

    async def forget_older_checkpoints(self) -> None:
        """Remove what the last checkpoint supersedes: each is as large as the state, and attempts may be many."""
        if self._checkpoints is not None:
            await self._checkpoints.remove_older()

    async def forget_checkpoints(self) -> None:
        """Remove all checkpoints of the task, which is done: the table says so."""
        if self._checkpoints is not None:
            await self._checkpoints.remove_all()

    async def _keep_checkpoint(self, checkpoints: Checkpoints, outcome: Outcome, used: Exit) -> Outcome:
        if isinstance(outcome, Succeeded):
            await self.stop()
            return outcome
        if used.code not in (0, CHECKPOINT_EXIT):  # what is under way was taken while it was sound
            await asyncio.gather(*self._watching, return_exceptions=True)
            return outcome
        await self.stop()
        took_one = self.took_checkpoint(outcome)
        try:
            await checkpoints.store(seconds=self._seconds(), is_last=True)
        except OutputError as error:
            self._context.runtime.event_log.note("checkpoint failed", item=self._key.item_id, trouble=error.what)
            trouble = trouble_detail(f"checkpoint not stored: {error.what}")
            return Failed(exit_code=used.code, detail=trouble) if took_one else outcome
        if not took_one:
            return outcome
        if checkpoints.made_progress():
            return Checkpointed()
        return Failed(exit_code=used.code, detail="exit status 85, and its checkpoint is empty or unchanged")

    async def _store_again_and_again(self, checkpoints: Checkpoints) -> None:
        clock, every_s = self._context.runtime.clock, self._context.tasks.checkpoint_every.total_seconds()
        wait_s = every_s
        while await elapsed(self._ended, wait_s):
            began_s, wait_s = clock.monotonic(), every_s
            try:
                if await checkpoints.store(seconds=self._seconds()):
                    self._last_s = clock.monotonic() - began_s
            except OutputError as error:
                wait_s = every_s * SOON
                self._context.runtime.event_log.note("checkpoint failed", item=self._key.item_id, trouble=error.what)

    async def _request_one(self, folder: Path) -> None:
        """Ask the script for a checkpoint shortly before the wall time ends."""
        while (left_s := self._context.wall_time.left_s(self._context.runtime.clock.monotonic())) is not None:
            if left_s <= requested_before_s(self._last_s):
                path = folder / f"{Folder.CHECKPOINT}{REQUESTED}"
                await THREADS.run(path.touch)
                return
            if not await elapsed(self._ended, left_s - requested_before_s(self._last_s)):
                return

    async def stop(self) -> None:
        """Store no more checkpoints; what is under way is given up."""
        self._ended.set()
        for task in self._watching:
            task.cancel()
        await asyncio.gather(*self._watching, return_exceptions=True)
        self._watching = []

    def _seconds(self) -> float:
        return self._context.runtime.clock.monotonic() - self._began_s


def folders_for(item: Item, task: Task, context: AttemptContext) -> TaskFolders | None:
    """Return the folders of an attempt at a task; None if it has none."""
    wanted = folders_of(task.script, context.tasks.folders | item.folders)
    if not wanted:
        return None
    key = ObjectKey(context.adapters.output_namespace, item.item_id, task.name, "")
    return TaskFolders(wanted, context, key, attempt=item.attempt, mark=item.mark, since=task.checkpoint_from)

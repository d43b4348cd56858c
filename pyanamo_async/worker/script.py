"""Run one script once: start it, read it, enforce its time, end it, keep its output.

Ending it early needs no second path: `end` moves the one deadline it waits under to now. Then its group gets
TERM, and KILL when it has not gone after `kill_after`.

1. The script's exit ends the attempt, not the end of its pipe.
2. Output is durable before the record says so.
3. Whatever happens, no process of the group is left.
"""

from __future__ import annotations

import asyncio
import signal
from datetime import timedelta

from pyanamo_async.core.items import Output, TaskRecord
from pyanamo_async.core.outcomes import (
    Failed,
    Interrupted,
    InterruptReason,
    Outcome,
    OutOfMemory,
    Succeeded,
    TimedOut,
    tag_detail,
)
from pyanamo_async.core.output_tail import OutputTail
from pyanamo_async.core.results import CheckpointUse, Results
from pyanamo_async.errors import LaunchFailed, LaunchRefused
from pyanamo_async.ports import Command, Exit, Process
from pyanamo_async.worker.context import AttemptContext
from pyanamo_async.worker.deadline import Deadline
from pyanamo_async.worker.recorder import Recorder
from pyanamo_async.worker.task_folders import TaskFolders

STARTING_S = 1.0  # for a start that is under way when the script is to end; most take milliseconds
CLOSING_S = 2.0  # for output when the worker is to stop: SIGTERM leaves 30 s, grace and KILL take 25


class Script:
    """One run of one script.

    When it `gave_up` storing its output, what is stored of it is to be discarded.
    """

    def __init__(
        self,
        command: Command,
        context: AttemptContext,
        *,
        attempt: int,
        limit: timedelta | None,
        stdout: Recorder,
        stderr: Recorder,
        folders: TaskFolders | None = None,
    ) -> None:
        self._command, self._context, self._attempt = command, context, attempt
        self._limit = limit
        self._limit_s = limit.total_seconds() if limit else None
        self._stdout, self._stderr, self._folders = stdout, stderr, folders
        self._kill_policy = context.tasks.kill_policy
        self._end_reason: InterruptReason | None = None
        self._terminating = self._is_keeping = self._at_once = False
        self._deadline = Deadline()
        self._hurry: InterruptReason | None = None
        self._hurried_s = 0.0  # when it was first to end
        self._process: Process | None = None
        self.gave_up = False

    def end(self, reason: InterruptReason, *, at_once: bool = False) -> None:
        """End the script; the first reason stands, except that a fence outranks all. `at_once` leaves out TERM.

        When the script has ended by itself and only its output is being stored, this ends that, soon.
        """
        if reason is InterruptReason.FENCED or (self._end_reason is None and not self._terminating):
            self._end_reason = reason
        hasten = at_once and not self._at_once
        self._at_once = self._at_once or at_once
        self._hurried_s = asyncio.get_running_loop().time() if self._hurry is None else self._hurried_s
        self._hurry = reason
        if hasten or not self._terminating:
            keep_s = self._folders.keep_within_s(reason) if self._folders and self._is_keeping else None
            self._deadline.cut_short(at_once=at_once or reason is InterruptReason.FENCED, allowed_s=keep_s)

    @property
    def has_checkpoints(self) -> bool:
        """Return whether it is to be told at once when the worker is stopped, because it leaves a checkpoint."""
        return self._folders is not None and self._folders.has_checkpoints

    @property
    def pid(self) -> int | None:
        """Return its process id; None before it runs."""
        return None if self._process is None else self._process.pid

    def signal(self, number: int) -> None:
        """Send a signal to its process group, if it runs."""
        if self._process is not None:
            self._process.signal(number)

    def watch(self) -> OutputTail:
        """Return what it printed last."""
        return OutputTail(self._stdout.watch(), self._stderr.watch())

    async def run(self) -> TaskRecord:
        """Run it to its end, whichever it is.

        Raises:
            LaunchRefused: this machine cannot start it for now; nothing ran.
        """
        clock = self._context.runtime.clock
        started, began = clock.now(), clock.monotonic()
        try:
            process, outcome, used = await self._outcome()
            finished, seconds = clock.now(), round(clock.monotonic() - began, 3)
            stdout, stderr = await self._outputs(process)
            if isinstance(outcome, Succeeded) and (tag := self._stdout.failing_tag) is not None:
                outcome = Failed(exit_code=0, detail=tag_detail(tag))
            if self._folders is not None:
                outcome = await self._keep(self._folders, outcome, used)
        except BaseException:
            await asyncio.shield(self.discard())
            raise
        return TaskRecord(
            outcome=outcome,
            started=started,
            finished=finished,
            seconds=seconds,
            attempt=self._attempt,
            worker=self._context.worker,
            max_rss_bytes=used.max_rss_bytes,
            max_rss_by=used.measure,
            at_most_bytes=used.at_most_bytes,
            cpu_seconds=used.cpu_seconds,
            stdout=stdout,
            stderr=stderr,
            results=self._folders.results if self._folders else Results(),
            checkpoint=self._folders.checkpoint if self._folders else CheckpointUse(),
        )

    async def _outcome(self) -> tuple[Process | None, Outcome, Exit]:
        if self._end_reason is not None:
            return None, Interrupted(self._end_reason), _NOTHING
        try:
            if self._folders is not None:
                await self._make(self._folders)
            process = self._process = await self._start()
        except TimeoutError:
            return None, self._cut_short(), _NOTHING
        except LaunchRefused:
            raise
        except LaunchFailed as failure:
            return None, Failed(detail=str(failure)), _NOTHING
        if self._folders is not None:
            self._folders.begin()
        self._stdout.resume_with(process.resume)
        self._stderr.resume_with(process.resume)
        try:
            in_time, used = await self._until_exit(process)
        except asyncio.CancelledError:
            process.signal(signal.SIGKILL)
            await asyncio.shield(process.finish(linger=timedelta()))
            raise
        return process, self._judge(used, in_time=in_time), used

    async def _start(self) -> Process:
        """Start the script; a start that hangs counts against the task's time limit."""
        async with self._deadline.within(self._limit_s, allowed_s=STARTING_S):
            launcher = self._context.adapters.launcher
            return await launcher.start(self._command, stdout=self._stdout, stderr=self._stderr)

    async def _make(self, folders: TaskFolders) -> None:
        async with self._deadline.within(None):
            self._command = await folders.make(self._command)

    async def _until_exit(self, process: Process) -> tuple[bool, Exit]:
        ended_while_starting = self._end_reason is not None
        used = await self._wait(process, 0 if ended_while_starting else self._limit_s) or await self._wait(process, 0)
        if used is not None:  # perhaps just as it was to be ended: then it made it
            return True, used
        self._terminating = True
        return False, await self._terminate(process)

    async def _wait(self, process: Process, seconds: float | None) -> Exit | None:
        try:
            async with self._deadline.within(seconds):
                return await process.wait()
        except TimeoutError:
            return None

    async def _terminate(self, process: Process) -> Exit:
        used = None
        if not self._at_once:
            process.signal(signal.SIGTERM)
            process.signal(signal.SIGCONT)  # a stopped script could not act on TERM
            folders, kill_after = self._folders, self._kill_policy.kill_after
            spell = folders.kill_after(self._end_reason) if folders else kill_after
            used = await self._wait(process, spell.total_seconds())
        process.signal(signal.SIGKILL)
        return used or await process.wait()

    def _judge(self, used: Exit, *, in_time: bool) -> Outcome:
        if in_time:
            if used.out_of_memory:
                return OutOfMemory(exit_code=used.code, signal=used.signal)
            return Succeeded() if used.code == 0 else Failed(exit_code=used.code, signal=used.signal)
        return self._cut_short()

    def _cut_short(self) -> Outcome:
        return TimedOut(self._limit or timedelta()) if self._end_reason is None else Interrupted(self._end_reason)

    async def _outputs(self, process: Process | None) -> tuple[Output, Output]:
        """Read what is left and make it durable; a worker that is to stop does not wait long for a slow storage."""
        self._terminating = False
        try:
            async with self._deadline.within(CLOSING_S if self._hurry else None, allowed_s=CLOSING_S):
                if self._end_reason is InterruptReason.FENCED:
                    await self.discard()
                if process is not None:
                    await process.finish(linger=self._kill_policy.linger)
                if self._end_reason is not InterruptReason.FENCED:
                    self._stderr.end()  # so that both are stored at the same time
                    return await self._stdout.close(), await self._stderr.close()
        except TimeoutError:
            self.gave_up = True
        late = f"not stored: {self._hurry} came before the storage was done"
        return self._stdout.give_up(late), self._stderr.give_up(late)

    async def _keep(self, folders: TaskFolders, outcome: Outcome, used: Exit) -> Outcome:
        """Store what is to be kept of the folders; without its results a task has not succeeded."""
        if self._end_reason is InterruptReason.FENCED:
            await folders.stop()
            return outcome
        until_s = self._hurried_s + folders.keep_within_s(self._hurry)
        left_s = max(0.0, until_s - asyncio.get_running_loop().time()) if self._hurry else None
        self._is_keeping = True
        try:
            async with self._deadline.within(0.0 if self._at_once else left_s):
                return await folders.keep(outcome, used)
        except TimeoutError:  # our haste, and not the script's fault
            is_ours = isinstance(outcome, Succeeded) or folders.took_checkpoint(outcome)
            return Interrupted(self._hurry or InterruptReason.STOP) if is_ours else outcome

    async def discard(self) -> None:
        """Discard what is not stored; of a script that `gave_up`, call it when the record is written."""
        await self._stdout.abort()
        await self._stderr.abort()


_NOTHING = Exit(code=None, signal=None)

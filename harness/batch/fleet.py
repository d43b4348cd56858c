"""How jobs move through their states, as capacity and containers allow, and what a test may do to that."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from random import Random

from harness.batch import rules
from harness.batch.containers import Container
from harness.batch.jobs import ENDED, Attempt, Job, Status, now_ms
from harness.batch.registry import Registry
from harness.batch.rules import End

HOST_LOST = "Host EC2 (instance i-{:017x}) terminated."
EXITED = "Essential container in task exited"
TIMED_OUT = "Job attempt duration exceeded timeout"
NO_CAPACITY = (
    "CAPACITY:INSUFFICIENT_INSTANCE_CAPACITY - Service cannot fulfill the capacity requested for instance type [m7i]"
)
KILL_AFTER_S = 30.0
ENDS_WITHIN_S = 60.0


class Fleet(Registry):
    """Jobs as processes of this machine: `capacity` containers at once, each `entrypoint` with the command of its job.

    `environment` is what any container has on its host, as PATH and where the other services are. All methods may be
    called from any thread.
    """

    def __init__(
        self,
        *,
        entrypoint: Sequence[str],
        environment: Mapping[str, str],
        folder: Path,
        capacity: int = 1000,
        kill_after_s: float = KILL_AFTER_S,
    ) -> None:
        super().__init__()
        self._entrypoint, self._environment, self._folder = entrypoint, environment, folder
        self._capacity, self._kill_after_s = capacity, kill_after_s
        self.jobs: dict[str, Job] = {}  # those that were submitted, and children, by id
        self._running: dict[str, Container] = {}
        self._blocked: dict[str, str] = {}
        self._changed = threading.Condition(self.lock)
        self._closing = False

    def close(self) -> None:
        """End what runs."""
        with self.lock:
            self._closing = True
            left = list(self._running.values())
        for each in left:
            each.kill()
        for each in left:
            each.join(ENDS_WITHIN_S)

    def block(self, queue: str, reason: str = NO_CAPACITY) -> None:
        """Let nothing start in a queue, and say so as the reason of the job at its front; without one, unblock it."""
        with self.lock:
            self._blocked.pop(queue, None)
            if reason:
                self._blocked[queue] = reason
            self.schedule()

    def set_capacity(self, capacity: int) -> None:
        """Let so many containers run at once; what runs is left alone."""
        with self.lock:
            self._capacity = capacity
            self.schedule()

    def running(self) -> list[str]:
        """Return the ids of jobs whose containers run."""
        with self.lock:
            return list(self._running)

    def container(self, job_id: str) -> Container:
        """Return the container of a job that runs."""
        with self.lock:
            return self._running[job_id]

    def take_capacity(
        self,
        jobs: Collection[str] | None = None,
        *,
        share: float = 1.0,
        dice: Random | None = None,
        kill_after_s: float | None = None,
        reason: str = "",
    ) -> list[str]:
        """Take the hosts of these jobs, or of a share of all that run, chosen by `dice`; return the ids.

        Their containers get SIGTERM, and SIGKILL `kill_after_s` later (0: at once, and no SIGTERM). The reason is that
        of a lost EC2 instance unless another is given, like `Your Spot Task was interrupted.`
        """
        dice = dice or Random(0)
        with self.lock:
            candidates = [each for each in self._running if jobs is None or each in jobs]
            chosen = candidates if share >= 1 else dice.sample(candidates, round(len(candidates) * share))
            for each in chosen:
                why = reason or HOST_LOST.format(dice.getrandbits(68))
                after_s = self._kill_after_s if kill_after_s is None else kill_after_s
                self._running[each].stop(why, kill_after_s=after_s)
            return chosen

    def wait(self, is_so: Callable[[], bool], *, within_s: float = 300.0) -> None:
        """Wait until something is so; looked at whenever a job changes its state."""
        with self._changed:
            assert self._changed.wait_for(is_so, within_s), "it never came to that"

    def statuses(self) -> list[Status]:
        """Return the states of all jobs that run something: not of arrays, but of their children."""
        with self.lock:
            return [each.status for each in self.jobs.values() if not each.children]

    def job(self, job_id: str) -> Job:
        """Return a job."""
        with self.lock:
            return self.jobs[job_id]

    def forget(self) -> None:
        """Forget all jobs that ended, and their folders, as Batch does after days."""
        with self.lock:
            for job_id in [each for each, job in self.jobs.items() if job.status in ENDED]:
                del self.jobs[job_id]
                shutil.rmtree(self._folder / job_id.replace(":", "-"), ignore_errors=True)

    def waiting(self, queue: str) -> list[Job]:
        """Return the jobs that wait in a queue, in their order."""
        found = [
            each
            for each in self.jobs.values()
            if each.queue == queue and each.status is Status.RUNNABLE and not each.children
        ]
        return sorted(found, key=lambda job: job.runnable_ms)

    def schedule(self) -> None:
        """Start what may start, and say of the first that may not why."""
        for queue in self.queue_names():
            for number, job in enumerate(self.waiting(queue)):
                blocked = self._blocked.get(queue, "") or (NO_CAPACITY if len(self._running) >= self._capacity else "")
                if blocked:
                    job.status_reason = "" if number else blocked
                    break
                if not self._closing:
                    self._start(job)
        self._changed.notify_all()

    def _start(self, job: Job) -> None:
        job.attempts.append(Attempt(now_ms()))
        job.status, job.status_reason = Status.RUNNING, ""
        folder = self._folder / job.job_id.replace(":", "-") / f"attempt-{len(job.attempts)}"

        def on_exit(container: Container, exit_code: int) -> None:
            with self.lock:
                self._ended(job, container, exit_code)

        container = Container(
            [*self._entrypoint, *job.command],
            environment={**self._environment, **job.environment, **job.batch_environment()},
            folder=folder,
            on_exit=on_exit,
        )
        self._running[job.job_id] = container
        container.watch()
        if job.timeout_s:
            timer = threading.Timer(job.timeout_s, self._time_out, (job, container))
            timer.daemon = True
            timer.start()

    def _time_out(self, job: Job, container: Container) -> None:
        with self.lock:
            if self._running.get(job.job_id) is container:
                job.ended_by = TIMED_OUT
                container.stop(TIMED_OUT, kill_after_s=self._kill_after_s)

    def end_early(self, job: Job, reason: str) -> None:
        """End a job that runs, or cancel one that waits."""
        job.ended_by = reason
        if job.job_id in self._running:
            self._running[job.job_id].stop(reason, kill_after_s=self._kill_after_s)
        else:
            self._settle(job, Status.FAILED, reason)
            self._changed.notify_all()

    def _ended(self, job: Job, container: Container, exit_code: int) -> None:
        """Take the end of a container: the job is over, or waits for its next attempt."""
        del self._running[job.job_id]
        attempt = job.attempts[-1]
        attempt.stopped_ms, attempt.end = now_ms(), End(exit_code, container.stopped_by or EXITED)
        over = exit_code == 0 or bool(job.ended_by)
        if not over and rules.is_retried(attempt.end, job.retry_strategy, attempts_made=len(job.attempts)):
            job.status, job.runnable_ms, job.status_reason = Status.RUNNABLE, now_ms(), attempt.end.status_reason
        else:
            succeeded = exit_code == 0 and not job.ended_by
            reason = job.ended_by or attempt.end.status_reason
            self._settle(job, Status.SUCCEEDED if succeeded else Status.FAILED, reason)
        self.schedule()

    def _settle(self, job: Job, status: Status, reason: str) -> None:
        job.status, job.status_reason, job.stopped_ms = status, reason, now_ms()
        if job.index is None:
            return
        parent = self.jobs[job.job_id.rpartition(":")[0]]
        if all(each.status in ENDED for each in parent.children):
            failed = any(each.status is Status.FAILED for each in parent.children)
            parent.status, parent.stopped_ms = Status.FAILED if failed else Status.SUCCEEDED, now_ms()
            parent.status_reason = "Array Child Job failed" if failed else ""

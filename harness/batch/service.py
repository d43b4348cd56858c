"""The service: answers requests, and moves jobs through their states as capacity and containers allow."""

from __future__ import annotations

import shutil
import threading
import uuid
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from pathlib import Path
from random import Random
from typing import Any

from harness.batch import rules
from harness.batch.containers import Container
from harness.batch.jobs import ENDED, WAITING, Attempt, Job, Status, arn, now_ms
from harness.batch.registry import Registry, page
from harness.batch.rules import End, Refused

HOST_LOST = "Host EC2 (instance i-{:017x}) terminated."
EXITED = "Essential container in task exited"
TIMED_OUT = "Job attempt duration exceeded timeout"
NO_CAPACITY = (
    "CAPACITY:INSUFFICIENT_INSTANCE_CAPACITY - Service cannot fulfill the capacity requested for instance type [m7i]"
)
KILL_AFTER_S = 30.0
FRONT = 100  # jobs of a snapshot
ENDS_WITHIN_S = 60.0


class FakeBatch(Registry):
    """AWS Batch on this machine. `capacity` containers run at once, each `entrypoint` with the command of its job.

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
        self._jobs: dict[str, Job] = {}  # those that were submitted, and children, by id
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

    # what a test does to it

    def block(self, queue: str, reason: str = NO_CAPACITY) -> None:
        """Let nothing start in a queue, and say so as the reason of the job at its front; without one, unblock it."""
        with self.lock:
            self._blocked.pop(queue, None)
            if reason:
                self._blocked[queue] = reason
            self._schedule()

    def set_capacity(self, capacity: int) -> None:
        """Let so many containers run at once; what runs is left alone."""
        with self.lock:
            self._capacity = capacity
            self._schedule()

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
            return [each.status for each in self._jobs.values() if not each.children]

    def job(self, job_id: str) -> Job:
        """Return a job."""
        with self.lock:
            return self._jobs[job_id]

    # what clients ask

    def submit_job(self, given: Mapping[str, Any], size_bytes: int) -> dict[str, Any]:
        """Queue a job, or an array."""
        queue, definition = self.queue(given["jobQueue"]), self.definition(given["jobDefinition"])
        fair, ecs = "schedulingPolicyArn" in queue, "ecsProperties" in definition
        rules.check_submission(given, size_bytes=size_bytes, fair_share=fair, ecs=ecs)
        if queue["state"] != "ENABLED":
            raise Refused(f"Job queue {queue['jobQueueName']} is not enabled")
        job = Job(str(uuid.uuid4()), given, definition, queue["jobQueueName"])
        size = given.get("arrayProperties", {}).get("size", 0)
        job.children = [
            Job(f"{job.job_id}:{index}", given, definition, job.queue, index=index) for index in range(size)
        ]
        self._jobs |= {each.job_id: each for each in (job, *job.children)}
        job.status = Status.PENDING if size else Status.RUNNABLE
        for each in job.family():
            each.status = Status.RUNNABLE
        self._schedule()
        return {"jobArn": arn("job", job.job_id), "jobName": given["jobName"], "jobId": job.job_id}

    def describe_jobs(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Describe the jobs that there are of those that are named."""
        if len(given["jobs"]) > rules.MOST_DESCRIBED:
            raise Refused(f"at most {rules.MOST_DESCRIBED} jobs are described at once")
        found = [self._jobs[each] for each in given["jobs"] if each in self._jobs]
        return {"jobs": [each.described() for each in found]}

    def list_jobs(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """List the jobs of a queue or the children of an array: those that are RUNNING, unless a state is asked for."""
        if sum(name in given for name in ("jobQueue", "arrayJobId", "multiNodeJobId")) != 1:
            raise Refused("one of jobQueue, arrayJobId and multiNodeJobId must be given")
        status, filters = given.get("jobStatus", "RUNNING"), given.get("filters", [])
        if len(filters) > 1:
            raise Refused("only one filter can be used at a time")
        if "arrayJobId" in given:
            array = self._jobs.get(given["arrayJobId"])
            among = array.children if array else []
        else:
            queue = self.queue(given["jobQueue"])["jobQueueName"]
            among = [each for each in self._jobs.values() if each.queue == queue and each.index is None]
        for each in filters:
            if "arrayJobId" not in given:
                among = [job for job in among if _passes(job, each)]
        if not filters or filters[0]["name"] == "SHARE_IDENTIFIER" or "arrayJobId" in given:
            among = [job for job in among if job.status == status]
        among.sort(key=lambda job: -job.created_ms)
        shown, token = page(among, given)
        return {"jobSummaryList": [job.summary() for job in shown], **token}

    def get_job_queue_snapshot(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Tell the first hundred jobs that wait in a queue."""
        waiting = self._waiting(self.queue(given["jobQueue"])["jobQueueName"])[:FRONT]
        jobs = [{"jobArn": arn("job", job.job_id), "earliestTimeAtPosition": job.runnable_ms} for job in waiting]
        return {"frontOfQueue": {"jobs": jobs, "lastUpdatedAt": now_ms()}}

    def cancel_job(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Cancel what has not started of a job or array."""
        for job in self._family(given["jobId"]):
            if job.status in WAITING:
                self._end_early(job, given["reason"])
        return {}

    def terminate_job(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Cancel what has not started of a job or array, and end what runs."""
        for job in self._family(given["jobId"]):
            if job.status not in ENDED:
                self._end_early(job, given["reason"])
        return {}

    # how jobs move

    def _family(self, job_id: str) -> Iterator[Job]:
        if job_id not in self._jobs:
            raise Refused(f"Job {job_id} does not exist")
        yield from self._jobs[job_id].family()

    def _waiting(self, queue: str) -> list[Job]:
        found = [
            each
            for each in self._jobs.values()
            if each.queue == queue and each.status is Status.RUNNABLE and not each.children
        ]
        return sorted(found, key=lambda job: job.runnable_ms)

    def _schedule(self) -> None:
        """Start what may start, and say of the first that may not why."""
        for queue in self.queue_names():
            for number, job in enumerate(self._waiting(queue)):
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

    def _end_early(self, job: Job, reason: str) -> None:
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
        self._schedule()

    def _settle(self, job: Job, status: Status, reason: str) -> None:
        job.status, job.status_reason, job.stopped_ms = status, reason, now_ms()
        if job.index is None:
            return
        parent = self._jobs[job.job_id.rpartition(":")[0]]
        if all(each.status in ENDED for each in parent.children):
            failed = any(each.status is Status.FAILED for each in parent.children)
            parent.status, parent.stopped_ms = Status.FAILED if failed else Status.SUCCEEDED, now_ms()
            parent.status_reason = "Array Child Job failed" if failed else ""

    def forget(self) -> None:
        """Forget all jobs that ended, and their folders, as Batch does after days."""
        with self.lock:
            for job_id in [each for each, job in self._jobs.items() if job.status in ENDED]:
                del self._jobs[job_id]
                shutil.rmtree(self._folder / job_id.replace(":", "-"), ignore_errors=True)


def _passes(job: Job, asked: Mapping[str, Any]) -> bool:
    """Return whether a job passes a filter of `ListJobs`."""
    [value, *_] = asked["values"]
    match asked["name"]:
        case "JOB_NAME":
            return rules.matches(value, job.request["jobName"])
        case "SHARE_IDENTIFIER":
            return bool(job.request.get("shareIdentifier") == value)
        case "AFTER_CREATED_AT":
            return job.created_ms > int(value)
        case "BEFORE_CREATED_AT":
            return job.created_ms < int(value)
    raise Refused(f"there is no filter {asked['name']} here")

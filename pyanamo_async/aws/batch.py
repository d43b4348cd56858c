"""The workers of a table as jobs of AWS Batch.

1. The jobs of a table are listed by their name and then told apart by their variable PYANAMO_TABLE, because jobs of
   several tables may have the same name.
2. To submit, cancel or terminate an array takes one call, however many jobs it has. Plain jobs are ended with fifty in
   a call if the SDK has that call. Otherwise, and if the reply reports errors, they are ended one by one, at most
   `PER_SECOND`.

Source: AWS Batch API reference, `SubmitJob`, `ListJobs`, `DescribeJobs`, `JobDetail`, `AttemptDetail`,
`GetJobQueueSnapshot`, `TerminateJob`, `TerminateJobs`.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Collection, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from pyanamo_async.aws.errors import translated
from pyanamo_async.aws.session import Aws
from pyanamo_async.core.batch import job_name
from pyanamo_async.core.values import replace
from pyanamo_async.ports.jobs import NO_LONGER_KNOWN, FleetJob, FleetJobs, Job, JobOrder, JobRun, JobService

TABLE = "PYANAMO_TABLE"
PER_SECOND = 10  # of the 50 that Batch allows an account, for all its users
IN_BULK = 50  # ids in one call that ends jobs
WHAT = "AWS Batch"
MOST = 100  # ids in one call that describes jobs
ENDED = {"SUCCEEDED", "FAILED"}


class BatchFleet(FleetJobs):
    """Jobs of the account and region of a session."""

    def __init__(self, aws: Aws, *, per_second: float = PER_SECOND) -> None:
        self._aws = aws
        self._pause_s = 1 / per_second

    async def submit(self, order: JobOrder) -> str:
        """Submit a job, or an array."""
        client = await self._aws.client("batch")
        with translated(f"job queue {order.queue}"):
            reply = await client.submit_job(**_request(order))
        return str(reply["jobId"])

    async def jobs(self, table: str, *, queue: str | None = None) -> AsyncIterator[FleetJob]:
        """List jobs by name in each queue, then look at their variables, a hundred jobs at a time."""
        client = await self._aws.client("batch")
        for each in [queue] if queue else await self._queues():
            with translated(f"job queue {each}"):
                asked = {"jobQueue": each, "filters": [{"name": "JOB_NAME", "values": [f"{job_name(table)}*"]}]}
                async for page in client.get_paginator("list_jobs").paginate(**asked):
                    ids = [str(one["jobId"]) for one in page["jobSummaryList"]]
                    for start in range(0, len(ids), MOST):
                        reply = await client.describe_jobs(jobs=ids[start : start + MOST])
                        for detail in reply["jobs"]:
                            if _environment(detail).get(TABLE) == table:
                                yield _fleet_job(detail)

    async def waiting_reason(self, job: FleetJob) -> str:
        """Ask for the waiting jobs of an array; a plain job has its own reason."""
        if job.size == 1:
            return job.reason
        client = await self._aws.client("batch")
        with translated(WHAT):
            async for page in client.get_paginator("list_jobs").paginate(
                arrayJobId=job.job_id, jobStatus="RUNNABLE", PaginationConfig={"PageSize": MOST}
            ):
                for each in page["jobSummaryList"]:
                    if each.get("statusReason"):
                        return str(each["statusReason"])
        return ""

    async def failed_with(self, job: FleetJob) -> list[int]:
        """Describe the job, or those of the array that come first among the failed."""
        client = await self._aws.client("batch")
        with translated(WHAT):
            ids = [job.job_id]
            if job.size > 1:
                listed = await client.list_jobs(arrayJobId=job.job_id, jobStatus="FAILED", maxResults=MOST)
                ids = [str(each["jobId"]) for each in listed["jobSummaryList"]]
            reply = await client.describe_jobs(jobs=ids) if ids else {"jobs": []}
        codes = [_run(detail).exit_code for detail in reply["jobs"] if detail["status"] == "FAILED"]
        return [code for code in codes if code is not None]

    async def front(self, queue: str) -> list[str]:
        """Ask for the snapshot of a queue."""
        client = await self._aws.client("batch")
        with translated(f"job queue {queue}"):
            reply = await client.get_job_queue_snapshot(jobQueue=queue)
        return [str(each["jobArn"]).rpartition("/")[2] for each in reply.get("frontOfQueue", {}).get("jobs", ())]

    async def cancel(self, job_ids: Collection[str], reason: str) -> None:
        """Cancel jobs."""
        client = await self._aws.client("batch")
        await self._end(client.cancel_job, getattr(client, "cancel_jobs", None), [*job_ids], reason)

    async def terminate(self, job_ids: Collection[str], reason: str) -> None:
        """Terminate jobs."""
        client = await self._aws.client("batch")
        await self._end(client.terminate_job, getattr(client, "terminate_jobs", None), [*job_ids], reason)

    async def _end(
        self, one: Callable[..., Any], many: Callable[..., Any] | None, job_ids: Sequence[str], reason: str
    ) -> None:
        with translated(WHAT):
            left = job_ids
            if many and len(job_ids) > 1:
                parts = [job_ids[start : start + IN_BULK] for start in range(0, len(job_ids), IN_BULK)]
                replies = [await many(jobs=part, reason=reason) for part in parts]
                left = [each["job"] for reply in replies for each in reply.get("errors", ())]
            for number, job_id in enumerate(left):
                if number:
                    await asyncio.sleep(self._pause_s)
                await one(jobId=job_id, reason=reason)

    async def _queues(self) -> list[str]:
        client = await self._aws.client("batch")
        with translated(WHAT):
            pages = client.get_paginator("describe_job_queues").paginate()
            return [str(each["jobQueueName"]) async for page in pages for each in page["jobQueues"]]


def _request(order: JobOrder) -> dict[str, Any]:
    variables = [{"name": name, "value": value} for name, value in order.environment.items()]
    override: dict[str, Any] = {"containerOverrides": {"environment": variables}}
    if order.container:
        containers = [{"name": order.container, "environment": variables}]
        override = {"ecsPropertiesOverride": {"taskProperties": [{"containers": containers}]}}
    tagged = {"tags": dict(order.tags), "propagateTags": True} if order.tags else {}
    return {
        "jobName": order.name,
        "jobQueue": order.queue,
        "jobDefinition": order.definition,
        **override,
        **tagged,
        **({"arrayProperties": {"size": order.size}} if order.size > 1 else {}),
        **({"shareIdentifier": order.share} if order.share else {}),
    }


def _fleet_job(detail: Mapping[str, Any]) -> FleetJob:
    array = detail.get("arrayProperties", {})
    return FleetJob(
        job_id=str(detail["jobId"]),
        name=str(detail["jobName"]),
        queue=str(detail["jobQueue"]).rpartition("/")[2],
        status=str(detail["status"]),
        created=datetime.fromtimestamp(detail.get("createdAt", 0) / 1000, UTC),
        size=int(array.get("size", 1)),
        by_status={name: int(number) for name, number in array.get("statusSummary", {}).items() if number},
        reason=str(detail.get("statusReason", "")),
    )


def _environment(detail: Mapping[str, Any]) -> dict[str, str]:
    return {each["name"]: each.get("value", "") for one in _containers(detail) for each in one.get("environment", ())}


class BatchJobs(JobService):
    """Jobs of the account and region of a session."""

    def __init__(self, aws: Aws) -> None:
        self._aws = aws

    async def states(self, job_ids: Collection[str]) -> Mapping[str, Job]:
        """Ask for a hundred jobs at a time; without ids, send no request."""
        ids, found = sorted({*job_ids}), dict[str, Job]()
        for start in range(0, len(ids), MOST):
            client = await self._aws.client("batch")
            with translated("AWS Batch"):
                reply = await client.describe_jobs(jobs=ids[start : start + MOST])
            found |= {detail["jobId"]: _job(detail) for detail in reply["jobs"]}
        return {each: found.get(each) or Job(each, NO_LONGER_KNOWN) for each in ids}


def _job(detail: Mapping[str, Any]) -> Job:
    whole, status = _run(detail), str(detail["status"])
    attempts = [_run(each) for each in detail.get("attempts", ())]
    if status in ENDED and attempts:  # the job may say more of it: why somebody terminated it
        last = attempts[-1]
        attempts[-1] = JobRun(
            started=last.started or whole.started,
            stopped=last.stopped or whole.stopped,
            exit_code=whole.exit_code if last.exit_code is None else last.exit_code,
            reason=whole.reason or last.reason,
        )
    if status not in ENDED:
        whole = replace(whole, stopped=None)
    return Job(str(detail["jobId"]), status, whole, tuple(attempts))


def _run(described: Mapping[str, Any]) -> JobRun:
    containers = [*_containers(described)]
    codes = [each["exitCode"] for each in containers if each.get("exitCode") is not None]
    reasons = [described.get("statusReason"), *(each.get("reason") for each in containers)]
    return JobRun(
        started=_time(described.get("startedAt")),
        stopped=_time(described.get("stoppedAt")),
        exit_code=next((each for each in codes if each), codes[0] if codes else None),
        reason="; ".join(dict.fromkeys(str(each) for each in reasons if each)),
    )


def _containers(described: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Yield the container of a job or attempt, or those of its ECS tasks, if it has several."""
    yield described.get("container") or {}
    tasks = described.get("taskProperties") or (described.get("ecsProperties") or {}).get("taskProperties") or ()
    for task in tasks:
        yield from task.get("containers", ())


def _time(milliseconds: int | None) -> datetime | None:
    return datetime.fromtimestamp(milliseconds / 1000, UTC) if milliseconds else None

"""The jobs of AWS Batch.

Source: `DescribeJobs`, `JobDetail` and `AttemptDetail` in the AWS Batch API reference.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from pyanamo_async.aws.errors import translated
from pyanamo_async.aws.session import Aws
from pyanamo_async.core.values import replace
from pyanamo_async.ports.jobs import NO_LONGER_KNOWN, Job, JobRun, JobService

MOST = 100  # ids of one call
ENDED = {"SUCCEEDED", "FAILED"}


class BatchJobs(JobService):
    """Jobs of the account and region of a session."""

    def __init__(self, aws: Aws) -> None:
        self._aws = aws

    async def states(self, job_ids: Collection[str]) -> Mapping[str, Job]:
        """Ask for a hundred jobs at a time; for none, nothing is asked."""
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
    if status in ENDED and attempts:  # of its last attempt the job itself may say more, as why somebody terminated it
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

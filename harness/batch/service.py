"""The service: answers what clients ask of jobs."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping
from typing import Any

from harness.batch import rules
from harness.batch.fleet import Fleet
from harness.batch.jobs import ENDED, WAITING, Job, Status, arn, now_ms
from harness.batch.registry import page
from harness.batch.rules import Refused

FRONT = 100  # jobs of a snapshot


class FakeBatch(Fleet):
    """AWS Batch on this machine. All methods may be called from any thread."""

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
        self.jobs |= {each.job_id: each for each in (job, *job.children)}
        job.status = Status.PENDING if size else Status.RUNNABLE
        for each in job.family():
            each.status = Status.RUNNABLE
        self.schedule()
        return {"jobArn": arn("job", job.job_id), "jobName": given["jobName"], "jobId": job.job_id}

    def describe_jobs(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Describe the jobs that there are of those that are named."""
        if len(given["jobs"]) > rules.MOST_DESCRIBED:
            raise Refused(f"at most {rules.MOST_DESCRIBED} jobs are described at once")
        found = [self.jobs[each] for each in given["jobs"] if each in self.jobs]
        return {"jobs": [each.described() for each in found]}

    def list_jobs(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """List the jobs of a queue or the children of an array: those that are RUNNING, unless a state is asked for."""
        if sum(name in given for name in ("jobQueue", "arrayJobId", "multiNodeJobId")) != 1:
            raise Refused("one of jobQueue, arrayJobId and multiNodeJobId must be given")
        status, filters = given.get("jobStatus", "RUNNING"), given.get("filters", [])
        if len(filters) > 1:
            raise Refused("only one filter can be used at a time")
        if "arrayJobId" in given:
            array = self.jobs.get(given["arrayJobId"])
            among = array.children if array else []
        else:
            queue = self.queue(given["jobQueue"])["jobQueueName"]
            among = [each for each in self.jobs.values() if each.queue == queue and each.index is None]
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
        waiting = self.waiting(self.queue(given["jobQueue"])["jobQueueName"])[:FRONT]
        jobs = [{"jobArn": arn("job", job.job_id), "earliestTimeAtPosition": job.runnable_ms} for job in waiting]
        return {"frontOfQueue": {"jobs": jobs, "lastUpdatedAt": now_ms()}}

    def cancel_job(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Cancel what has not started of a job or array."""
        for job in self._family(given["jobId"]):
            if job.status in WAITING:
                self.end_early(job, given["reason"])
        return {}

    def terminate_job(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Cancel what has not started of a job or array, and end what runs."""
        for job in self._family(given["jobId"]):
            if job.status not in ENDED:
                self.end_early(job, given["reason"])
        return {}

    def _family(self, job_id: str) -> Iterator[Job]:
        if job_id not in self.jobs:
            raise Refused(f"Job {job_id} does not exist")
        yield from self.jobs[job_id].family()


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

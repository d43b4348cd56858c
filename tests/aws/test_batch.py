"""The jobs of AWS Batch: against moto, and in the words of the API for what moto does not have."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import boto3
import pytest
from botocore.validate import ParamValidator

from harness.servers.clients import client
from pyanamo_async.aws.batch import BatchFleet, BatchJobs
from pyanamo_async.aws.session import Aws
from pyanamo_async.core.batch import job_name
from pyanamo_async.core.values import replace
from pyanamo_async.ports import NO_LONGER_KNOWN, JobRun
from pyanamo_async.ports.jobs import JobOrder

STARTED, STOPPED = datetime(2026, 11, 26, 12, tzinfo=UTC), datetime(2026, 11, 26, 13, tzinfo=UTC)
TIMES = {"startedAt": int(STARTED.timestamp() * 1000), "stoppedAt": int(STOPPED.timestamp() * 1000)}
SPOT = "Host EC2 (instance i-0123456789abcdef0) terminated."


class FakeBatch:
    """A client that answers with these jobs, and checks what it is asked by botocore's model."""

    def __init__(self, *details: Mapping[str, Any]) -> None:
        self._details = {each["jobId"]: each for each in details}
        self.asked: list[int] = []
        session = boto3.Session(region_name="us-east-1")
        self._model = session.client("batch").meta.service_model.operation_model("DescribeJobs")

    async def client(self, service: str) -> FakeBatch:
        assert service == "batch"
        return self

    async def describe_jobs(self, **request: Any) -> dict[str, Any]:  # noqa: ANN401 # of botocore
        report = ParamValidator().validate(request, self._model.input_shape)
        assert not report.has_errors(), report.generate_report()
        assert len(request["jobs"]) <= 100
        self.asked.append(len(request["jobs"]))
        return {"jobs": [self._details[each] for each in request["jobs"] if each in self._details]}


def jobs_of(batch: FakeBatch) -> BatchJobs:
    return BatchJobs(batch)  # type: ignore[arg-type] # as much of a session as is used


async def test_a_hundred_jobs_are_asked_for_at_a_time() -> None:
    """Each once; for none nothing is asked."""
    ids = [f"job-{n}" for n in range(250)]
    batch = FakeBatch({"jobId": "job-7", "status": "RUNNING"})

    assert await jobs_of(batch).states([]) == {}
    found = await jobs_of(batch).states([*ids, *ids])

    assert batch.asked == [100, 100, 50]
    assert {found[each].status for each in ids} == {"RUNNING", NO_LONGER_KNOWN}
    assert found["job-7"].run == JobRun()


async def test_attempts_are_read_apart() -> None:
    """Of a job that Batch started again each has its own end, and the job none yet."""
    first = {**TIMES, "statusReason": SPOT, "container": {}}
    second = {"startedAt": TIMES["stoppedAt"], "container": {}}
    detail = {
        "jobId": "j:3",
        "status": "RUNNING",
        **TIMES,
        "attempts": [first, second],
        "arrayProperties": {"index": 3},
    }

    found = (await jobs_of(FakeBatch(detail)).states(["j:3"]))["j:3"]

    assert found.attempts == (JobRun(STARTED, STOPPED, None, SPOT), JobRun(STOPPED))
    assert found.run.stopped is None


async def test_the_last_attempt_has_what_the_job_says() -> None:
    """Such as why a person terminated it; the reason of its container stands behind."""
    container = {"exitCode": 137, "reason": "OutOfMemoryError: Container killed due to memory usage"}
    detail = {
        "jobId": "j",
        "status": "FAILED",
        "statusReason": "Essential container in task exited",
        **TIMES,
        "container": container,
        "attempts": [{"statusReason": "Essential container in task exited", "container": {}}],
    }

    found = (await jobs_of(FakeBatch(detail)).states(["j"]))["j"]

    reason = "Essential container in task exited; OutOfMemoryError: Container killed due to memory usage"
    assert found.attempts == (JobRun(STARTED, STOPPED, 137, reason),)


async def test_a_job_of_several_containers_has_the_exit_code_of_the_one_that_failed() -> None:
    """Batch shows them below the task."""
    containers = [{"name": "log", "exitCode": 0}, {"name": "main", "exitCode": 3}]
    tasks = [{"containers": containers}]
    detail = {"jobId": "j", "status": "FAILED", **TIMES, "ecsProperties": {"taskProperties": tasks}}
    attempt = {**TIMES, "taskProperties": tasks}

    found = (await jobs_of(FakeBatch(detail | {"attempts": [attempt]})).states(["j"]))["j"]

    assert (found.run.exit_code, found.attempts[0].exit_code) == (3, 3)


async def test_jobs_of_a_service(moto_endpoint: str, aws_env: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """A job, the child of an array, and one that nobody knows, through a session."""
    for name, value in aws_env.items():
        monkeypatch.setenv(name, value)
    job, array = submit(moto_endpoint), submit(moto_endpoint, size=2)
    unknown = str(uuid.uuid4())

    async with Aws() as aws:
        found = await BatchJobs(aws).states([job, f"{array}:1", unknown])

    assert {each: found[each].status for each in found} == {
        job: "SUCCEEDED",
        f"{array}:1": "SUCCEEDED",
        unknown: NO_LONGER_KNOWN,
    }
    assert [each.stopped is not None for each in found[f"{array}:1"].attempts] == [True]


async def test_workers_are_submitted_listed_and_ended_on_moto(
    moto_endpoint: str, aws_env: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """An array and a plain job; moto ends them at once, and lists the children of arrays, too."""
    for name, value in aws_env.items():
        monkeypatch.setenv(name, value)
    table, queue = f"t{uuid.uuid4().hex}", a_queue(moto_endpoint)
    environment = {"PYANAMO_TABLE": table, "PYANAMO_ITEMS": "8"}
    order = JobOrder(job_name(table), queue, queue, 2, environment, {"project": "genomes"})

    async with Aws() as aws:
        fleet = BatchFleet(aws)
        ids = [await fleet.submit(each) for each in (order, replace(order, size=1))]
        found = {each.job_id: each async for each in fleet.jobs(table, queue=queue)}
        await fleet.cancel(ids, "over")
        await fleet.terminate(ids, "over")

    assert [found[each].size for each in ids] == [2, 1]
    assert {each.queue for each in found.values()} == {queue}


class NewerBatch:
    """A client that ends several jobs by one call, as newer SDKs have it, but not those that it is to `refuse`.

    Source: AWS Batch API reference, `TerminateJobs` and `TerminateJobsErrorDetail`.
    """

    def __init__(self, refuse: str) -> None:
        self._refuse, self.calls = refuse, list[list[str]]()

    async def client(self, _: str) -> NewerBatch:
        return self

    async def terminate_jobs(self, *, jobs: list[str], reason: str) -> dict[str, Any]:
        assert reason
        self.calls.append(jobs)
        refused = [{"job": each, "code": "ThrottlingException", "message": ""} for each in jobs if each == self._refuse]
        return {"successful": [each for each in jobs if each != self._refuse], "errors": refused}

    async def terminate_job(self, *, jobId: str, reason: str) -> None:  # noqa: N803 # as the API has it
        assert reason
        self.calls.append([jobId])


async def test_what_a_call_for_several_jobs_could_not_end_is_ended_alone() -> None:
    """Fifty at a time; the call succeeds also when it names jobs that go on."""
    ids = [f"job-{number}" for number in range(60)]
    batch = NewerBatch(refuse="job-7")

    await BatchFleet(batch).terminate(ids, "over")  # type: ignore[arg-type] # as much of a session as is used

    assert batch.calls == [ids[:50], ids[50:], ["job-7"]]


def submit(endpoint: str, *, size: int = 0) -> str:
    """Submit a job, or an array, which moto ends at once."""
    name = a_queue(endpoint)
    many: dict[str, Any] = {"arrayProperties": {"size": size}} if size else {}
    job_id: str = client("batch", endpoint).submit_job(jobName=name, jobQueue=name, jobDefinition=name, **many)["jobId"]
    return job_id


def a_queue(endpoint: str) -> str:
    """Set up a queue and a definition of the same name."""
    batch, name = client("batch", endpoint), f"n{uuid.uuid4().hex}"
    role = client("iam", endpoint).create_role(RoleName=name, AssumeRolePolicyDocument="{}")["Role"]["Arn"]
    where = batch.create_compute_environment(
        computeEnvironmentName=name, type="UNMANAGED", state="ENABLED", serviceRole=role
    )["computeEnvironmentArn"]
    order = [{"order": 1, "computeEnvironment": where}]
    batch.create_job_queue(jobQueueName=name, state="ENABLED", priority=1, computeEnvironmentOrder=order)
    needs = [{"type": "VCPU", "value": "1"}, {"type": "MEMORY", "value": "128"}]
    container = {"image": "busybox", "resourceRequirements": needs}
    batch.register_job_definition(jobDefinitionName=name, type="container", containerProperties=container)
    return name

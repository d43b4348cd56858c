"""The fake of AWS Batch refuses and decides what AWS Batch does."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from harness.batch.jobs import ENDED, Status
from harness.batch.rules import End, is_retried, matches
from harness.servers.clients import client
from tests.batch import DEFINITION, FAIR_QUEUE, QUEUE, RETRY, a_batch

JOB: dict[str, Any] = {"jobName": "j", "jobQueue": QUEUE, "jobDefinition": DEFINITION}


@pytest.mark.parametrize(
    ("end", "retried"),
    [
        (End(None, "Host EC2 (instance i-1) terminated."), True),
        (End(143, "Your Spot Task was interrupted."), True),
        (End(None, "Task failed to start", "CannotPullContainerError: pull"), True),
        (End(75, "Essential container in task exited"), True),
        (End(1, "Essential container in task exited"), False),
        (End(137, "Essential container in task exited", "OutOfMemoryError: Container killed"), False),
    ],
)
def test_the_first_of_our_rules_that_matches_decides(end: End, retried: bool) -> None:
    """As long as there are attempts."""
    assert is_retried(end, RETRY, attempts_made=1) is retried
    assert not is_retried(end, RETRY, attempts_made=5)


def test_no_rule_that_matches_means_another_attempt() -> None:
    """And without a strategy there is one attempt."""
    rules = {"attempts": 2, "evaluateOnExit": [{"onExitCode": "1", "onReason": "Out*", "action": "EXIT"}]}

    assert is_retried(End(1, "x"), rules, attempts_made=1)
    assert not is_retried(End(1, "x", "OutOfMemoryError"), rules, attempts_made=1)
    assert not is_retried(End(75, "x"), {}, attempts_made=1)


def test_patterns_match_a_whole_text_or_its_beginning() -> None:
    """In any case."""
    assert matches("host ec2*", "Host EC2 (instance) terminated.")
    assert not matches("Host EC2", "Host EC2 (instance) terminated.")
    assert matches("*", "")


@pytest.mark.parametrize(
    "wrong",
    [
        {"arrayProperties": {"size": 1}},
        {"arrayProperties": {"size": 10_001}},
        {"shareIdentifier": "a"},
        {"jobQueue": FAIR_QUEUE},
        {"jobQueue": "nowhere"},
        {"jobName": "a.b"},
        {"retryStrategy": {"attempts": 2, "evaluateOnExit": [{"onReason": "*", "action": "EXIT"}] * 6}},
        {"retryStrategy": {"attempts": 2, "evaluateOnExit": [{"onReason": "Host (EC2)", "action": "EXIT"}]}},
        {"retryStrategy": {"attempts": 11}},
        {"timeout": {"attemptDurationSeconds": 59}},
        {"containerOverrides": {"environment": [{"name": "AWS_BATCH_X", "value": "1"}]}},
        {"containerOverrides": {"environment": [{"name": "X", "value": "1" * 31_000}]}},
        {"ecsPropertiesOverride": {"taskProperties": []}},
        {"tags": {"aws:x": "1"}},
    ],
    ids=lambda wrong: str(wrong)[:60],
)
def test_what_batch_refuses_is_refused(tmp_path: Path, wrong: dict[str, Any]) -> None:
    """Nothing of it is queued."""
    with a_batch(tmp_path) as (batch, address):
        with pytest.raises(ClientError, match="ClientException"):
            client("batch", address).submit_job(**JOB | wrong)
        assert batch.statuses() == []


def test_jobs_are_listed_as_batch_lists_them(tmp_path: Path) -> None:
    """Those that run unless a state is asked for; an array is pending while its children run."""
    with a_batch(tmp_path, entrypoint=["sleep", "100"]) as (batch, address):
        api: Any = client("batch", address)
        array = api.submit_job(**JOB, arrayProperties={"size": 2})["jobId"]
        plain = api.submit_job(**JOB)["jobId"]

        def listed(**asked: Any) -> list[str]:  # noqa: ANN401 # of the API
            return [each["jobId"] for each in api.list_jobs(**asked)["jobSummaryList"]]

        assert listed(jobQueue=QUEUE) == [plain]
        assert listed(jobQueue=QUEUE, jobStatus="PENDING") == [array]
        assert {*listed(jobQueue=QUEUE, filters=[{"name": "JOB_NAME", "values": ["J*"]}])} == {array, plain}
        assert {*listed(arrayJobId=array)} == {f"{array}:0", f"{array}:1"}

        api.terminate_job(jobId=array, reason="enough")
        batch.wait(lambda: batch.job(array).status in ENDED)
        assert [batch.job(each).status for each in (array, plain)] == [Status.FAILED, Status.RUNNING]


def test_jobs_without_capacity_wait_with_a_reason_at_the_front(tmp_path: Path) -> None:
    """In the order in which they came; the snapshot names them."""
    with a_batch(tmp_path, entrypoint=["sleep", "100"], capacity=1) as (batch, address):
        api: Any = client("batch", address)
        _, second, third = (api.submit_job(**JOB)["jobId"] for _ in range(3))

        front = api.get_job_queue_snapshot(jobQueue=QUEUE)["frontOfQueue"]["jobs"]
        assert [each["jobArn"].rpartition("/")[2] for each in front] == [second, third]
        jobs = api.describe_jobs(jobs=[second, third])["jobs"]
        described = {each["jobId"]: each.get("statusReason", "") for each in jobs}
        assert described[second].startswith("CAPACITY:INSUFFICIENT_INSTANCE_CAPACITY")
        assert described[third] == ""

        batch.set_capacity(3)
        assert len(batch.running()) == 3


def test_a_child_knows_who_it_is_and_comes_back_after_its_host(tmp_path: Path) -> None:
    """With the same id, as the next attempt; a container that ignores SIGTERM is killed."""
    script = "trap '' TERM; while :; do sleep 0.1; done"
    with a_batch(tmp_path, entrypoint=["sh", "-c"], command=[script], kill_after_s=0.2) as (batch, address):
        array = client("batch", address).submit_job(**JOB, arrayProperties={"size": 2})["jobId"]
        child = f"{array}:1"
        assert batch.take_capacity([child]) == [child]
        batch.wait(lambda: len(batch.job(child).attempts) == 2)

        first = batch.job(child).attempts[0]
        assert first.end is not None
        assert first.end.status_reason.startswith("Host EC2 (instance i-")
        assert batch.job(child).batch_environment() == {
            "AWS_BATCH_JOB_ID": child,
            "AWS_BATCH_JOB_ARRAY_INDEX": "1",
            "AWS_BATCH_JOB_ATTEMPT": "2",
            "AWS_BATCH_JQ_NAME": QUEUE,
            "AWS_BATCH_CE_NAME": f"{QUEUE}-environment",
        }

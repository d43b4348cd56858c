"""`pyanamo batch`, against a fake of AWS Batch whose containers end at once, or wait for capacity."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.batch import FakeBatch
from harness.batch.jobs import ENDED
from pyanamo_async.cli.handing_on import OF_RUN
from pyanamo_async.core.batch import why_waiting
from tests.batch import (
    DEFINITION,
    ECS_DEFINITION,
    FAIR_ON_DEMAND_QUEUE,
    FAIR_QUEUE,
    ON_DEMAND_QUEUE,
    QUEUE,
    a_batch,
    define,
)
from tests.cli.conftest import Cli, process
from tests.docs.cli_reference import find, options

SUBMIT = ("batch", "submit", "--queue", QUEUE, "--definition", DEFINITION)


@pytest.fixture
def batch(tmp_path: Path, aws_env: dict[str, str], monkeypatch: pytest.MonkeyPatch, cli: Cli) -> Iterator[FakeBatch]:
    """A fake that starts nothing, an empty table, and a bucket."""
    worker = ["sh", "-c", '[ $# = 0 ] && exec sleep 100; exit "$1"', "worker"]
    with a_batch(tmp_path / "batch", entrypoint=worker) as (fake, address):
        fake.block(QUEUE)
        for name, value in {
            **aws_env,
            "AWS_ENDPOINT_URL_BATCH": address,
            "AWS_ENDPOINT_URL_SERVICE_QUOTAS": address,
        }.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setenv("PYANAMO_TABLE", f"table-{uuid.uuid4().hex}")
        monkeypatch.setenv("S3_BUCKET", "bucket")
        assert cli("table", "create").status == 0
        yield fake


def test_flags_of_run_become_variables_as_they_were_typed(batch: FakeBatch, cli: Cli) -> None:
    """With those that lead to the table and its output; what is in this shell's environment stays here."""
    told = cli(*SUBMIT, "--jobs", "1", "-i", "8", "--timeout", "90m", "--wait", "--cloudwatch", "--json").json()

    [job_id] = told["job_ids"]
    job = batch.job(job_id)
    assert job.environment == told["environment"]
    table = told["environment"].pop("PYANAMO_TABLE")
    assert told["environment"] == {
        "S3_BUCKET": "bucket",
        "PYANAMO_BUCKET_KEY": "PyAnamo",
        "AWS_REGION": "us-east-1",
        "PYANAMO_ITEMS": "8",
        "PYANAMO_TIMEOUT": "90m",
        "PYANAMO_WAIT": "1",
        "PYANAMO_CLOUDWATCH": f"/PyAnamo/{table}",
    }
    assert "arrayProperties" not in job.request


HERE_ONLY = {
    "table": "handed on as PYANAMO_TABLE, from wherever it is known",
    "bucket": "handed on as S3_BUCKET, likewise",
    "bucket_key": "handed on as PYANAMO_BUCKET_KEY, likewise",
    "region": "handed on as AWS_REGION, likewise",
    "umask": "of files of this machine",
    "quiet": "a worker's log is what is known of it",
    "prometheus": "a file for a collector of this machine",
    "emf": "the job definition's: it goes with its log group",
}


def test_every_option_of_run_is_handed_on_or_says_why_not() -> None:
    """One that is added to `run` is one of `batch submit`, or it stands above with the reason."""
    of_run, of_submit = (_options(*names) for names in (("run",), ("batch", "submit")))

    assert HERE_ONLY.keys() <= of_run
    assert of_run - HERE_ONLY.keys() == OF_RUN
    assert of_submit >= OF_RUN


def _options(*words: str) -> set[str]:
    command, _ = find([*words])
    return {each.name for each in options(command)}


def test_flags_are_checked_before_anything_is_submitted(batch: FakeBatch, cli: Cli) -> None:
    """As `run` checks them."""
    for flags in (["--timeout", "soon"], ["--lease", "1s"], ["-i", "0"], []):
        said = cli(*SUBMIT, *(["--jobs", "1"] if flags else []), *flags)
        assert said.status == 2, said
    assert batch.statuses() == []


def test_many_jobs_are_arrays_of_ten_thousand(batch: FakeBatch, cli: Cli) -> None:
    """The last one is a plain job where an array of one would be left; above a hundred somebody has to say yes."""
    refused = cli(*SUBMIT, "--jobs", "20001")
    planned = cli(*SUBMIT, "--jobs", "20001", "--dry-run", "--json").json()
    assert (refused.status, planned["sizes"], batch.statuses()) == (2, [10_000, 10_000, 1], [])

    cli(*SUBMIT, "--jobs", "101", "--yes", "--tag", "project=genomes")

    [listed] = cli("batch", "list", "--json").json()
    assert (listed["jobs"], listed["status"], listed["by_status"]) == (101, "PENDING", {"RUNNABLE": 101})
    request = batch.job(listed["job"]).request
    assert (request["tags"], request["propagateTags"]) == ({"project": "genomes"}, True)


def test_a_definition_of_ecs_properties_has_its_container_named(batch: FakeBatch, cli: Cli) -> None:
    """Batch takes no plain overrides for it."""
    [job_id] = cli(*SUBMIT[:-1], ECS_DEFINITION, "--jobs", "2", "--json").json()["job_ids"]

    assert "PYANAMO_TABLE" in batch.job(f"{job_id}:1").environment


def test_a_fair_share_queue_wants_an_identifier_and_others_refuse_it(batch: FakeBatch, cli: Cli) -> None:
    """Each is said with what to type."""
    fair = ("batch", "submit", "--queue", FAIR_QUEUE, "--definition", DEFINITION, "--jobs", "2")

    assert "--share" in cli(*fair).err
    assert cli(*SUBMIT, "--jobs", "2", "--share", "genomes").status == 2
    batch.block(FAIR_QUEUE)
    [job_id] = cli(*fair, "--share", "genomes", "--json").json()["job_ids"]
    assert batch.job(job_id).request["shareIdentifier"] == "genomes"


def test_workers_for_a_time_follow_from_what_is_left(batch: FakeBatch, cli: Cli, folder: Path) -> None:
    """Without a measured pace somebody has to say how long an item takes."""
    (folder / "many.txt").write_text("".join(f"echo {number}\n" for number in range(50)))
    assert cli("import", "many.txt").status == 0

    assert "--seconds-per-item" in cli(*SUBMIT, "--for", "2h").err
    planned = cli(*SUBMIT, "--for", "2h", "--seconds-per-item", "3600", "-i", "4", "--dry-run", "--json").json()

    assert planned["jobs"] == 7  # 50 hours of work in 2 hours are 25 at once
    assert batch.statuses() == []


@pytest.mark.usefixtures("batch")
def test_workers_for_a_time_follow_from_what_a_worker_takes_at_once(cli: Cli, folder: Path) -> None:
    """As many items as its definition has CPUs for, unless it is told another number; time that is none is refused."""
    (folder / "many.txt").write_text("".join(f"echo {number}\n" for number in range(50)))
    assert cli("import", "many.txt").status == 0
    planned = (*SUBMIT, "--for", "2h", "--dry-run", "--json", "--seconds-per-item")

    for flags, jobs in (([], 13), (["-i", "auto"], 13), (["-i", "1"], 25)):
        assert cli(*planned, "3600", *flags).json()["jobs"] == jobs
    assert cli(*planned, "1e308").json()["jobs"] == 50  # never more than one for each item
    for seconds in ("nan", "inf", "0", "-1"):
        refused = cli(*planned, seconds)
        assert (refused.status, "--seconds-per-item" in refused.err) == (2, True)


def test_jobs_of_other_tables_are_not_listed(batch: FakeBatch, cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    """Although their name begins like the one of this table's jobs."""
    table = f"table-{uuid.uuid4().hex}"
    for name in (f"{table}-2", f"{table}.2", table):
        monkeypatch.setenv("PYANAMO_TABLE", name)
        cli("table", "create")
        cli(*SUBMIT, "--jobs", "1")

    [listed] = cli("batch", "list", "--json").json()
    assert batch.job(listed["job"]).environment["PYANAMO_TABLE"] == table


def test_cancelling_leaves_nothing_behind(batch: FakeBatch, cli: Cli, folder: Path) -> None:
    """What waits is cancelled, what runs is terminated, and the jobs are not retried."""
    cli("import", str(folder / "single.txt"))
    cli(*SUBMIT, "--jobs", "3")
    batch.block(QUEUE, "")
    cli(*SUBMIT, "--jobs", "2")
    assert len(batch.running()) == 5

    told = cli("batch", "cancel", "--now", "--yes", "--reason", "wrong image", "--json").json()

    assert told == {"dry_run": False, "cancelled": 2, "terminated": 2}
    batch.wait(lambda: not batch.running())
    assert {*batch.statuses()} == {"FAILED"}
    assert cli("batch", "list", "--json").json() == []
    ended = cli("batch", "list", "--all", "--json").json()
    assert {batch.job(f"{each['job']}:0").status_reason for each in ended} == {"wrong image"}


@pytest.mark.usefixtures("batch")
def test_what_waits_is_cancelled_without_a_termination(cli: Cli, folder: Path) -> None:
    """The workers are drained, and nothing of the jobs runs."""
    cli("import", str(folder / "single.txt"))
    cli(*SUBMIT, "--jobs", "3")

    told = cli("batch", "cancel", "--yes", "--json").json()
    assert told == {"dry_run": False, "cancelled": 1, "terminated": 0}


def test_what_would_be_cancelled_is_told(batch: FakeBatch, cli: Cli) -> None:
    """As JSON, too; an id that is none of the table's jobs is refused, as without a dry run."""
    [job_id] = cli(*SUBMIT, "--jobs", "3", "--json").json()["job_ids"]

    told = cli("batch", "cancel", "--dry-run", "--json").json()

    assert told == {"dry_run": True, "cancelled": 1, "terminated": 0, "job_ids": [job_id]}
    for flags in (["--dry-run"], ["--dry-run", "--json"], ["--yes"]):
        refused = cli("batch", "cancel", "no-such-job", *flags)
        assert (refused.status, "no-such-job" in refused.err) == (2, True)
    assert {*batch.statuses()} == {"RUNNABLE"}


def test_a_table_that_is_gone_keeps_its_jobs_from_nobody(batch: FakeBatch, cli: Cli) -> None:
    """They are cancelled all the same, and none is submitted for it."""
    cli(*SUBMIT, "--jobs", "3")
    cli("table", "delete", "--yes")

    refused = cli(*SUBMIT, "--jobs", "3", "--dry-run")
    assert (refused.status, "does not exist" in refused.err) == (1, True)
    told = cli("batch", "cancel", "--yes", "--json").json()
    assert (told["cancelled"], {*batch.statuses()}) == (1, {"FAILED"})


@pytest.mark.usefixtures("batch")
def test_jobs_that_wait_are_explained(cli: Cli) -> None:
    """By what Batch says, their place in the queue, and what Fargate may run."""
    assert "no jobs" in cli("batch", "why").out
    cli(*SUBMIT, "--jobs", "3")

    [counts, front, reason, meaning, quota] = cli("batch", "why", "--json").json()["because"]

    assert counts == f"In queue {QUEUE}: 3 RUNNABLE."
    assert "at the front" in front
    assert "CAPACITY:INSUFFICIENT_INSTANCE_CAPACITY" in reason
    assert "no capacity" in meaning
    assert "6 vCPUs" in quota


def test_jobs_that_failed_are_explained_by_their_exit_statuses(batch: FakeBatch, cli: Cli) -> None:
    """Batch says no more of them than FAILED; what failed before something succeeded is of the past."""
    for code in ("0", "4", "1"):
        define(os.environ["AWS_ENDPOINT_URL_BATCH"], f"exit-{code}", command=[code])
    submit = ("batch", "submit", "--queue", ON_DEMAND_QUEUE, "--json", "--definition")

    def why(code: str, *, jobs: int) -> list[str]:
        [job_id] = cli(*submit, f"exit-{code}", "--jobs", str(jobs)).json()["job_ids"]
        batch.wait(lambda: batch.job(job_id).status in ENDED)
        told: list[str] = cli("batch", "why", "--json").json()["because"]
        return [each.replace(job_id, "it") for each in told]

    nothing_left = "The table has no jobs in AWS Batch that have not ended."
    assert why("1", jobs=1) == [
        nothing_left,
        "1 job of it ended with exit status 1: the worker itself failed, and the last lines of its log say why.",
    ]
    assert why("0", jobs=1) == [nothing_left]
    assert why("4", jobs=3) == [
        nothing_left,
        "3 jobs of it ended with exit status 4: only items were left that no living worker takes: "
        "`pyanamo status` says what they need.",
    ]


@pytest.mark.usefixtures("batch")
def test_an_item_that_waits_for_jobs_is_explained_by_what_these_wait_for(cli: Cli, folder: Path) -> None:
    """As `batch why` tells it, if a queue is named and nobody is at work."""
    cli("import", str(folder / "single.txt"))
    [item, *_] = cli("list", "--json").json()
    cli(*SUBMIT, "--jobs", "3")
    why = cli("batch", "why", "--json").json()["because"]

    explained = cli("explain", item["itemID"], "--queue", QUEUE, "--json").json()

    assert explained["because"][-len(why) :] == why
    following = f"pyanamo batch submit --queue {QUEUE} --definition DEFINITION"
    assert explained["next"][0]["command"].startswith(f"{following} --jobs 1")
    assert "AWS" not in cli("explain", item["itemID"]).out
    cli("set", "--all", "--memory", "1T", "--yes")
    assert process("run", "--memory", "1G", "--bucket", "file:logs", "--quiet").status == 4
    too_large = cli("explain", item["itemID"], "--queue", QUEUE, "--json").json()
    assert too_large["because"][-len(why) :] == why
    assert too_large["next"][0]["command"].startswith(f"{following} --memory-class SIZE")


def test_a_file_and_a_folder_are_out_of_reach(cli: Cli) -> None:
    """Workers elsewhere see neither."""
    assert "DynamoDB" in cli(*SUBMIT, "--jobs", "1", "-t", "sqlite:step.db").err
    assert "S3_BUCKET" in cli(*SUBMIT, "--jobs", "1", "-t", "some-table", "-b", "file:logs").err


def test_a_reason_that_nobody_knows_is_told_as_it_is() -> None:
    """Without a guess."""
    assert [*why_waiting("NEW:REASON")] == ["Batch says: NEW:REASON"]
    assert [*why_waiting("")] == []


@pytest.mark.usefixtures("batch")
def test_workers_for_a_memory_class_come_from_a_definition_that_is_large_enough(cli: Cli) -> None:
    """Less the reserve, or what `--memory` leaves to scripts; otherwise nothing is submitted."""
    enough = cli(*SUBMIT, "--jobs", "2", "--memory-class", "16G", "--json").json()
    refused = cli(*SUBMIT, "--jobs", "2", "--memory-class", "20G")
    halved = cli(*SUBMIT, "--jobs", "2", "--memory-class", "16G", "--memory", "50%")
    no_unit = cli(*SUBMIT, "--jobs", "2", "--memory-class", "16")

    assert enough["jobs"] == 2
    assert "PYANAMO_MEMORY_CLASS" not in enough["environment"]
    assert refused.status == halved.status == 2
    assert "has 16 GB of memory, and its workers use up to 15 GB: too little" in refused.err
    assert "the class of 24 GiB" in refused.err
    assert "--memory-class is 16. hint: give a size of 1 MiB or more, as 64G" in no_unit.err
    assert "use up to 8.0 GB: too little for items of the class of 16 GiB" in halved.err
    assert ("leave out --memory" in halved.err, "leave out" in refused.err) == (True, False)
    assert [each["jobs"] for each in cli("batch", "list", "--json").json()] == [2]


@pytest.mark.usefixtures("batch")
def test_the_backlog_of_a_memory_class_is_what_waits_in_it(cli: Cli, tmp_path: Path) -> None:
    """Those up to it, and no others: `--for` counts what large workers are needed for."""
    tasks = tmp_path / "tasks.tsv"
    needs = ["12G", "12G", "60G", *["10M"] * 5]
    rows = [f"{number}\ts\t{need}\ttrue" for number, need in enumerate(needs)]
    tasks.write_text("\n".join(["itemID\ttaskID\tMemory\tTaskScript", *rows]))
    cli("import", str(tasks))
    assert cli("run", "--memory", "1G", "--bucket", f"file:{tmp_path}").status == 4

    planned = (*SUBMIT, "--for", "1h", "--seconds-per-item", "60", "--dry-run")
    told, none = (cli(*planned, "--memory-class", each) for each in ("12G", "8G"))

    assert "2 items in memory classes up to 12 GiB, 60 s an item" in told.err
    assert (none.status, "no item waits for a larger worker" in none.err) == (2, True)
    assert "--jobs" in none.err
    assert "2 items, 60 s an item" in cli(*planned).err  # those of 12 GB: its workers have 16
    small = cli(*planned, "--memory", "4G")
    assert (small.status, "only items are left that such workers do not take" in small.err) == (2, True)
    assert "--memory-class" in small.err


LAST = (*SUBMIT, "--jobs", "2", "--last-attempts-on")


def test_one_more_worker_takes_last_attempts_on_demand(batch: FakeBatch, cli: Cli) -> None:
    """With the same options and that flag, and items are left to it from then on; the array knows nothing of it."""
    batch.block(ON_DEMAND_QUEUE)
    planned = cli(*LAST, ON_DEMAND_QUEUE, "-i", "4", "--last-attempts-after", "2", "--dry-run")
    assert "1 job in on-demand, for items that lost their machine 2 times" in planned.err
    assert batch.statuses() == []

    told = cli(*LAST, ON_DEMAND_QUEUE, "-i", "4", "--json").json()

    [array, last] = told["job_ids"]
    assert (told["sizes"], told["last_attempts"]["queue"], told["last_attempts"]["after"]) == ([2], "on-demand", 3)
    environments = {name: batch.job(job).environment for name, job in (("array", f"{array}:0"), ("last", last))}
    assert environments["last"].pop("PYANAMO_LAST_ATTEMPTS") == "1"
    assert environments["last"] == environments["array"] == told["environment"]
    assert {each["queue"] for each in cli("batch", "list", "--json").json()} == {QUEUE, ON_DEMAND_QUEUE}
    assert cli("table", "last-attempts", "--off").status == 0


def test_a_submission_that_is_refused_in_part_names_what_was_submitted(batch: FakeBatch, cli: Cli) -> None:
    """Otherwise whoever submits again has twice the workers; no item is left to a worker that does not come."""
    batch.update_job_queue({"jobQueue": ON_DEMAND_QUEUE, "state": "DISABLED"})

    refused = cli(*LAST, ON_DEMAND_QUEUE)

    [submitted] = cli("batch", "list", "--json").json()
    assert refused.status == 1
    assert f"submitted before that: {submitted['job']}; `pyanamo batch cancel` ends them" in refused.err
    assert cli("table", "describe", "--json").json()["last_attempts_after"] is None


def test_last_attempts_need_a_queue_that_nobody_interrupts(batch: FakeBatch, cli: Cli) -> None:
    """Neither the same, nor another on Spot, nor one that is missing: nothing is submitted, and each is said."""
    for queue, why in (
        (QUEUE, f"--last-attempts-on is the queue {QUEUE} itself"),
        (FAIR_QUEUE, "starts workers on FARGATE_SPOT, where they are interrupted as well"),
        ("nowhere", "'nowhere' does not exist"),
        (FAIR_ON_DEMAND_QUEUE, f"queue {FAIR_ON_DEMAND_QUEUE} shares its capacity by identifiers"),
    ):
        refused = cli(*LAST, queue)
        assert (refused.status, why in refused.err, "hint: " in refused.err) == (2, True, True), refused
    assert batch.statuses() == []


def test_a_definition_of_another_platform_than_a_queue_is_refused(batch: FakeBatch, cli: Cli) -> None:
    """Batch would start none of its workers; nothing is submitted to the other queue either."""
    define(os.environ["AWS_ENDPOINT_URL_BATCH"], "of-ec2", platform="EC2")

    refused = cli("batch", "submit", "--queue", QUEUE, "--definition", "of-ec2", "--jobs", "2")

    assert refused.status == 2
    assert "spot has FARGATE_SPOT, and of-ec2:1 is for EC2. hint: give a definition and a queue" in refused.err
    assert batch.statuses() == []


def test_each_queue_gets_the_share_identifier_that_it_needs(batch: FakeBatch, cli: Cli) -> None:
    """The other refuses one."""
    batch.block(FAIR_ON_DEMAND_QUEUE)

    [array, last] = cli(*LAST, FAIR_ON_DEMAND_QUEUE, "--share", "genomes", "--json").json()["job_ids"]

    assert batch.job(last).request["shareIdentifier"] == "genomes"
    assert "shareIdentifier" not in batch.job(array).request

"""A fleet on AWS Batch: submitted by its command, run as real workers by a fake, and shaken by Spot."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

from harness.batch.jobs import ENDED, Status
from harness.program import PYANAMO, Program, until
from tests.batch import DEFINITION, ON_DEMAND_QUEUE, QUEUE, a_batch

ITEMS, WORKERS = 48, 6
MANY = 400  # more than are done before a busy machine has cancelled them
RUN = (
    "--grace",
    "100ms",
    "--heartbeat",
    "2s",
    "--lease",
    "2m",
)  # 2 s: that orders are heard soon; 2 min: a busy machine


def test_a_fleet_that_loses_a_third_of_its_capacity_loses_nothing(on_aws: Program, tmp_path: Path) -> None:
    """Workers that had SIGTERM put their items back: each is done, and none has counted a crash or a failure."""
    on_aws.import_rows(*(f"i{number:02}|s|sleep 2; echo $PYANAMO_ITEM_ID" for number in range(ITEMS)))
    with a_batch(tmp_path / "batch", entrypoint=[PYANAMO, "run", *RUN], environment=on_aws.env) as (batch, address):
        pyanamo = replace(on_aws, env={**on_aws.env, "AWS_ENDPOINT_URL_BATCH": address})
        pyanamo("batch", "submit", "--queue", QUEUE, "--definition", DEFINITION, "--jobs", str(WORKERS), "-i", "2")
        until(lambda: pyanamo.status()["items"]["done"] >= WORKERS)

        taken = batch.take_capacity(share=1 / 3, dice=Random(14))

        assert len(taken) == WORKERS // 3
        batch.wait(lambda: {*batch.statuses()} <= ENDED)
        jobs: list[Any] = [batch.job(each) for each in taken]
        assert [[each.end.exit_code for each in job.attempts] for job in jobs] == [[75, 0]] * len(jobs)
        assert {*batch.statuses()} == {Status.SUCCEEDED}

    rows = on_aws.rows()
    assert {row["ItemState"] for row in rows.values()} == {"done"}
    assert len(rows) == ITEMS
    assert sum(row.get("Crashes", 0) + row.get("Failures", 0) for row in rows.values()) == 0
    assert sum(row.get("Interruptions", 0) for row in rows.values()) > 0
    ended = json.loads(on_aws("workers", "--json"))
    assert {each["job"].partition(" ")[0] for each in ended} >= {*taken}
    assert {each["job"] for each in ended} >= {f"{each} attempt 2" for each in taken}


def test_a_cancelled_fleet_finishes_what_it_runs(on_aws: Program, tmp_path: Path) -> None:
    """Its workers drain, and their jobs are not started again: no item is interrupted, and the rest stays to do."""
    on_aws.import_rows(*(f"i{number:03}|s|sleep 2; echo $PYANAMO_ITEM_ID" for number in range(MANY)))
    with a_batch(tmp_path / "batch", entrypoint=[PYANAMO, "run", *RUN], environment=on_aws.env) as (batch, address):
        pyanamo = replace(on_aws, env={**on_aws.env, "AWS_ENDPOINT_URL_BATCH": address})
        pyanamo("batch", "submit", "--queue", QUEUE, "--definition", DEFINITION, "--jobs", "2", "-i", "2")
        until(lambda: pyanamo.status()["items"]["done"] > 0)
        batch.set_capacity(0)

        told = json.loads(pyanamo("batch", "cancel", "--yes", "--json"))

        assert told == {"dry_run": False, "cancelled": 1, "terminated": 0}
        assert {*batch.statuses()} == {Status.FAILED}
    rows = on_aws.rows()
    assert {row["ItemState"] for row in rows.values()} == {"done", "todo"}
    assert (
        sum(row.get("Crashes", 0) + row.get("Failures", 0) + row.get("Interruptions", 0) for row in rows.values()) == 0
    )


def test_an_item_that_spot_interrupts_ends_on_demand(on_aws: Program, tmp_path: Path) -> None:
    """Its worker on Spot is started again, leaves it alone, and goes home; the other is there for it."""
    go = tmp_path / "go"
    on_aws.import_rows(*(f"{name}|s|until [ -e {go} ]; do sleep 0.1; done" for name in ("a", "b")))
    with a_batch(tmp_path / "batch", entrypoint=[PYANAMO, "run", *RUN], environment=on_aws.env) as (batch, address):
        pyanamo = replace(on_aws, env={**on_aws.env, "AWS_ENDPOINT_URL_BATCH": address})
        last = ("--last-attempts-on", ON_DEMAND_QUEUE, "--last-attempts-after", "1", "--json")
        submit = ("batch", "submit", "--queue", QUEUE, "--definition", DEFINITION, "--jobs", "1", "-i", "1", *last)
        spot, on_demand = json.loads(pyanamo(*submit))["job_ids"]
        until(lambda: pyanamo.status()["items"]["locked"] == 2)

        batch.take_capacity([spot])
        batch.wait(lambda: batch.job(spot).status in ENDED)
        [left] = [item_id for item_id, row in on_aws.rows().items() if row["ItemState"] == "todo"]
        go.touch()
        batch.wait(lambda: batch.job(on_demand).status in ENDED)

        jobs: list[Any] = [batch.job(each) for each in (spot, on_demand)]
        assert [[each.end.exit_code for each in job.attempts] for job in jobs] == [[75, 0], [0]]
    rows = on_aws.rows()
    assert {row["ItemState"] for row in rows.values()} == {"done"}
    assert (rows[left]["Last_Attempts"], rows[left]["Evictions"]) == (1, 1)
    assert all(row["InstanceID"].startswith(on_demand) for row in rows.values())

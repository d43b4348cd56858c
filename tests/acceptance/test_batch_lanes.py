"""A step on Spot with items that its small workers cannot do: one is too large, one never gets to its end there."""

from __future__ import annotations

import json
import shlex
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

from harness.batch import FakeBatch
from harness.batch.jobs import ENDED, Job
from harness.program import PATIENCE_S, PYANAMO, Program, Row, until
from tests.batch import DEFINITION, ON_DEMAND_QUEUE, QUEUE, a_batch, define
from tests.memory.control_groups import a_control_group
from tests.recovery.processes import Witness

RUN = ("--grace", "100ms", "--heartbeat", "2s", "--lease", "2m")
SUBMIT = ("batch", "submit", "--definition", DEFINITION, "--json", "--queue")
SMALL = ("--jobs", "2", "-i", "1", "--memory", "100M")
LAST = ("--last-attempts-on", ON_DEMAND_QUEUE, "--last-attempts-after", "2")
LARGE = ("--memory-class", "300M", "--for", "1h", "--seconds-per-item", "60")
QUICK = 4
HUNGRY = f"{shlex.quote(sys.executable)} -S -c 'x = bytearray(b\"x\") * (256 << 20)' && echo fed"
IN_A_CONTAINER = """\
mkdir "$0/$$" && echo $((MIB << 20)) > "$0/$$/memory.limit_in_bytes" && echo $$ > "$0/$$/cgroup.procs" && exec "$@"
"""
INTERRUPTED, OUT_OF_REACH, KILLED = 75, 4, 137  # exit codes


def test_what_small_workers_on_spot_leave_is_done_by_others(on_aws: Program, tmp_path: Path) -> None:
    """Each is sent by one command, the commands that look say for what the items wait, and each item is done once."""
    go, witness = tmp_path / "go", Witness(tmp_path / "witness")
    quick, long = (
        f"{witness.script(work)}; echo $PYANAMO_ITEM_ID" for work in ("true", f"until [ -e {go} ]; do sleep 0.1; done")
    )
    on_aws.import_rows(
        *(f"quick-{number}|s||{quick}" for number in range(QUICK)),
        f"large|s|300M|{quick}",
        f"long|s||{long}",
        header="itemID|TaskID|Memory|TaskScript",
    )
    with a_batch(tmp_path / "batch", entrypoint=[PYANAMO, "run", *RUN], environment=on_aws.env) as (batch, address):
        pyanamo = replace(on_aws, env={**on_aws.env, "AWS_ENDPOINT_URL_BATCH": address})
        batch.block(ON_DEMAND_QUEUE)  # such machines may be scarce, too
        spot, on_demand = json.loads(pyanamo(*SUBMIT, QUEUE, *SMALL, *LAST))["job_ids"]

        lost = [take_worker_of("long", pyanamo, witness, batch, kill_after_s=each) for each in (PATIENCE_S, 0)]
        batch.wait(lambda: batch.job(spot).status in ENDED)

        codes = [code for job in batch.job(spot).children for code in exit_codes(job)]
        assert sorted(codes) == [OUT_OF_REACH, OUT_OF_REACH, INTERRUPTED, KILLED]
        assert all(exit_codes(job)[-1] == OUT_OF_REACH for job in batch.job(spot).children)
        assert {*lost} <= {job.job_id for job in batch.job(spot).children}
        assert beyond(pyanamo) == {"todo": 2, "done": QUICK, "too_large": [(1, 1)], "last_attempts": 1}
        assert found(pyanamo) >= {"items too large", "last attempts left"}
        assert "no living worker has that" in pyanamo("explain", "large")
        assert "--last-attempts" in pyanamo("explain", "long")

        batch.block(ON_DEMAND_QUEUE, "")
        until(lambda: pyanamo.rows()["long"]["ItemState"] == "locked")
        assert beyond(pyanamo) == {"todo": 1, "done": QUICK, "too_large": [(1, 1)], "last_attempts": 0}
        go.touch()
        batch.wait(lambda: batch.job(on_demand).status in ENDED)
        assert exit_codes(batch.job(on_demand)) == [OUT_OF_REACH]  # what is too large waits on

        submitted = json.loads(pyanamo(*SUBMIT, ON_DEMAND_QUEUE, *LARGE))
        [large] = submitted["job_ids"]
        batch.wait(lambda: batch.job(large).status in ENDED)
        assert (submitted["jobs"], exit_codes(batch.job(large))) == (1, [0])

    rows = pyanamo.rows()
    assert beyond(pyanamo) == {"todo": 0, "done": QUICK + 2, "too_large": [], "last_attempts": 0}
    assert (rows["long"]["Evictions"], rows["long"]["InstanceID"].startswith(on_demand)) == (2, True)
    assert rows["large"]["InstanceID"].startswith(large)
    assert sum(row.get("Failures", 0) for row in rows.values()) == 0
    assert sorted(run.item for run in witness.runs() if run.ended) == sorted(rows)
    assert witness.overlaps() == []
    assert {item: pyanamo("logs", item) for item in rows} == {item: f"{item}\n" for item in rows}
    assert found(pyanamo) == set()


def test_an_item_that_ran_out_of_memory_in_a_small_container_is_done_in_a_large_one(
    on_aws: Program, tmp_path: Path
) -> None:
    """The kernel ends its script, not the worker; nobody had to say what it needs, and it costs no failure."""
    on_aws.import_rows(f"hungry|s|{HUNGRY}", *(f"quick-{number}|s|echo fine" for number in range(QUICK)))
    with (
        a_control_group() as group,
        a_batch(
            tmp_path / "batch",
            entrypoint=["sh", "-c", IN_A_CONTAINER, str(group), PYANAMO, "run", *RUN],
            environment=on_aws.env,
        ) as (batch, address),
    ):
        for name, mib in (("small", 256), ("large", 1024)):
            define(address, name, memory_mib=mib, variables={"MIB": str(mib)})
        pyanamo = replace(on_aws, env={**on_aws.env, "AWS_ENDPOINT_URL_BATCH": address})
        submit = ("batch", "submit", "--json", "--queue", QUEUE, "--jobs", "1", "--definition")

        [small] = json.loads(pyanamo(*submit, "small"))["job_ids"]
        batch.wait(lambda: batch.job(small).status in ENDED)

        assert exit_codes(batch.job(small)) == [OUT_OF_REACH]
        assert beyond(pyanamo) == {"todo": 1, "done": QUICK, "too_large": [(1, 1)], "last_attempts": 0}

        [large] = json.loads(pyanamo(*submit, "large", "--memory-class", "1G"))["job_ids"]
        batch.wait(lambda: batch.job(large).status in ENDED)
        assert exit_codes(batch.job(large)) == [0]

    row = pyanamo.rows()["hungry"]
    assert (row["ItemState"], row["InstanceID"].startswith(large), row.get("Failures", 0)) == ("done", True, 0)
    assert row["OOM_Kills"] >= 1
    assert pyanamo("logs", "hungry") == "fed\n"


def take_worker_of(item: str, pyanamo: Program, witness: Witness, batch: FakeBatch, *, kill_after_s: float) -> str:
    """Take the machine of the worker that runs an item, wait until the item has counted it, and return the job."""
    until(lambda: runs(pyanamo.rows()[item], witness))
    row = pyanamo.rows()[item]
    [job] = batch.take_capacity([row["InstanceID"].rpartition("-")[0]], kill_after_s=kill_after_s)
    until(lambda: bool(pyanamo.rows()[item].get("Evictions", 0) > row.get("Evictions", 0)))
    return job


def runs(row: Row, witness: Witness) -> bool:
    """Return whether the script of an item has begun: before, its machine is no loss to it."""
    begun = {(run.item, run.attempt) for run in witness.runs()}
    return row["ItemState"] == "locked" and (row["itemID"], row["Attempt"]) in begun


def exit_codes(job: Job) -> list[int]:
    """Return the exit codes of the attempts at a job that has ended."""
    ends = (each.end.exit_code for each in job.attempts if each.end)
    return [code for code in ends if code is not None]


def beyond(pyanamo: Program) -> dict[str, Any]:
    """Return what `status` says of items that wait, those that no living worker takes among them."""
    status = pyanamo.status()
    return {
        "todo": status["items"]["todo"],
        "done": status["items"]["done"],
        "too_large": [(each["memory_class"], each["items"]) for each in status["too_large"]],
        "last_attempts": status["last_attempts"],
    }


def found(pyanamo: Program) -> set[str]:
    """Return the kinds of what `doctor` finds."""
    return {each["finding"] for each in json.loads(pyanamo.run("doctor", "--json").stdout)}

"""Checkpoints in a bucket that denies some requests."""

from __future__ import annotations

import signal

from harness.gate import Call, Gate, gated
from harness.program import Program, program, until
from tests.acceptance.conftest import on_aws
from tests.stress.workers import fleet

__all__ = ["on_aws"]  # a fixture

AGAIN = "[ -e $PYANAMO_CHECKPOINT/n ] && exit 0; echo 1 > $PYANAMO_CHECKPOINT/n; exit 85"
WORKS = "echo 1 > $PYANAMO_CHECKPOINT/n; sleep 1"


def test_a_bucket_that_denies_checkpoints_fails_only_who_relies_on_them(on_aws: Program) -> None:
    """A script that asks to be run again fails, and is told why; one that comes to its end is done."""

    def allows(call: Call) -> bool:
        return not (call.operation == "PutObject" and "/checkpoint/" in call.resource)

    on_aws.import_rows(f"again|s|1|{AGAIN}", f"works|s|1|{WORKS}", header="itemID|TaskID|MaxFailures|TaskScript")
    with gated(on_aws.env, Gate(allows)) as env:
        far = program(on_aws.folder, table=on_aws.table, bucket=on_aws.bucket, env=env)
        far("run", "-i", "2", "--checkpoint-every", "100ms", code=3)

    rows = on_aws.rows()
    assert {name: row["ItemState"] for name, row in rows.items()} == {"again": "failed", "works": "done"}
    assert "checkpoint not stored" in rows["again"]["Reason"]


def test_a_state_that_cannot_be_listed_is_not_begun_without(on_aws: Program) -> None:
    """The item goes back, unblamed, until somebody grants the right; then it goes on from its state."""
    on_aws.import_rows(f"again|s|1|{AGAIN}", header="itemID|TaskID|MaxFailures|TaskScript")
    with gated(on_aws.env, Gate(lambda call: call.operation != "ListObjectsV2")) as env:
        far = program(on_aws.folder, table=on_aws.table, bucket=on_aws.bucket, env=env)
        with fleet(far, 1) as workers:
            until(lambda: on_aws.rows()["again"].get("Interruptions", 0) > 1)
            workers.running[0].send_signal(signal.SIGTERM)
            assert workers.codes() == [75]
    row = on_aws.rows()["again"]
    assert (row["ItemState"], row["Attempts"], row.get("Failures", 0)) == ("todo", 1, 0)
    assert "not started: its checkpoint cannot be read" in row["Reason"]
    assert "not started: its checkpoint cannot be read" in on_aws("explain", "again")
    on_aws("run")

    row = on_aws.rows()["again"]
    assert (row["ItemState"], row["Log"]["Restored_From"]) == ("done", "1/1")

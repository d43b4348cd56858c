"""Checkpoints of real scripts: what exit status 85 means, and what starts over."""

from __future__ import annotations

import signal

from harness.program import until
from tests.recovery.processes import Site


def test_a_script_asks_to_be_run_again(site: Site) -> None:
    """Exit status 85 with something new is progress; with nothing new it is a failure, as without a folder."""
    again = "n=$(cat $PYANAMO_CHECKPOINT/n); [ $n = 2 ] && exit 0; echo $((n + 1)) > $PYANAMO_CHECKPOINT/n; exit 85"
    site.items(
        f"again|s|1|{again}",
        "empty|s|1|: $PYANAMO_CHECKPOINT; exit 85",
        "same|s|1|echo 1 > $PYANAMO_CHECKPOINT/n; exit 85",
        "none|s|1|exit 85",
        header="itemID|TaskID|MaxFailures|TaskScript",
    )
    worker = site.start("-i", "4")

    assert worker.exit() == 3, worker.said()
    assert site.states() == {"again": "done", "empty": "failed", "same": "failed", "none": "failed"}
    rows = site.rows()
    assert (rows["again"]["Attempt"], rows["again"].get("Failures", 0)) == (3, 0)
    assert rows["same"]["Attempt"] == 2
    assert "empty or unchanged" in rows["same"]["Reason"]
    assert rows["none"]["Reason"] == "attempt 1: exit status 85"


def test_a_replaced_script_starts_over(site: Site) -> None:
    """And so does what was done, and everything with --clear; a retry goes on."""
    script = "ls $PYANAMO_CHECKPOINT; echo 1 > $PYANAMO_CHECKPOINT/{}; sleep 0.5; exit 1"
    site.items(f"a|s|{script.format('first')}|1", header="itemID|TaskID|TaskScript|MaxFailures")
    run = ("-q", "--checkpoint-every", "50ms", "--exit-zero")

    def printed() -> str:
        worker = site.start(*run)
        assert worker.exit() == 0, worker.said()
        return site.program("logs", "a").strip()

    assert printed() == ""
    site.program("retry", "a", "--yes")
    assert printed() == "first"
    site.program("reset", "a", "--clear", "--yes")
    assert printed() == ""
    site.program("set", "a", "--script", script.format("second"), "--yes")
    assert printed() == ""
    site.program("retry", "a", "--yes")
    assert printed() == "second"


def test_wall_time_is_announced(site: Site) -> None:
    """A script that looks for the request finds it in time, and leaves a checkpoint instead of being killed."""
    wait = "while ! [ -e $PYANAMO_CHECKPOINT.requested ]; do sleep 0.05; done"
    script = f"{wait}; echo $PYANAMO_ATTEMPT > $PYANAMO_CHECKPOINT/n; exit 85"
    site.items(f"a|s|{script}")
    worker = site.start("-w", "33s")
    until(lambda: "checkpoint taken" in site.rows()["a"].get("Reason", ""))
    worker.signal(signal.SIGTERM)
    worker.exit()

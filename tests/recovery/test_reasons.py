"""Every attempt that ended without success leaves its reason behind."""

from __future__ import annotations

import signal

from harness.program import until
from tests.recovery.processes import Site

KEPT = 5


def test_failures_and_timeouts_leave_their_reason(site: Site) -> None:
    """The latest is the item's reason, those before are its history."""
    site.items("a|s|test $PYANAMO_ATTEMPT = 2 && sleep 3000; exit 7")

    assert site.start("--timeout", "1s", "--on-exit", "timeout=fail", "--backoff", "10ms..10ms").exit() == 3
    row = site.rows()["a"]
    assert (row["Reason"], row["History"]) == (
        "attempt 2: ran longer than its limit of 1 s",
        ["attempt 1: exit status 7"],
    )


def test_interruptions_and_crashes_leave_theirs(site: Site) -> None:
    """The three ledgers are kept apart: a failure, an interruption, a crash; then it is done without a reason."""
    work = "case $PYANAMO_ATTEMPT in 1) exit 7;; 4) exit 0;; *) sleep 3000;; esac"
    site.items(f"a|s|{site.witness.script(work)}")
    worker = site.start("--grace", "0s", "--backoff", "10ms..10ms")
    until(lambda: site.witness.begun() == 2)
    worker.signal(signal.SIGTERM)
    assert worker.exit() == 75
    killed = site.start()
    until(lambda: site.witness.begun() == 3)
    killed.signal(signal.SIGKILL)
    killed.exit()

    assert site.start().exit() == 0
    row = site.rows()["a"]
    assert [row[ledger] for ledger in ("Failures", "Interruptions", "Crashes")] == [1, 1, 1]
    assert row["History"][:2] == ["attempt 1: exit status 7", "attempt 2: interrupted: stop"]
    assert row["History"][2].startswith("attempt 3: its worker ")
    assert "Reason" not in row


def test_the_history_is_bounded(site: Site) -> None:
    """However often an item fails, its row does not grow: the latest reasons stay."""
    site.items("a|s|exit $PYANAMO_ATTEMPT")

    assert site.start("--max-failures", "9", "--backoff", "1ms..1ms").exit() == 3
    row = site.rows()["a"]
    assert row["Reason"] == "attempt 9: exit status 9"
    assert row["History"] == [f"attempt {n}: exit status {n}" for n in range(9 - KEPT, 9)]

"""A worker that stands still for longer than its lease: others finish its items, and it writes nothing any more."""

from __future__ import annotations

import signal

from harness.program import until
from tests.recovery.processes import SHORT_LEASE, Site


def test_items_of_a_worker_that_stands_still_are_finished_by_another(any_site: Site) -> None:
    """The other stays until the lease is over and its scripts are ended; the stopped one wakes and writes nothing."""
    site, witness = any_site, any_site.witness
    go_on = site.folder / "go-on"
    site.items(*(f"{name}|s|{witness.script(f'test -e {go_on} || sleep 3000')}" for name in "abcd"))
    stopped = site.start("-i", "2", *SHORT_LEASE)
    until(lambda: witness.begun() == 2)
    stopped.signal(signal.SIGSTOP)
    go_on.touch()

    assert site.start("-i", "2", *SHORT_LEASE).exit() == 0
    assert site.scripts() == []  # those of the stopped worker were ended before its items were taken over
    before = site.rows()
    assert {row["ItemState"] for row in before.values()} == {"done"}
    assert sorted(row.get("Interruptions", 0) for row in before.values()) == [0, 0, 1, 1]  # it shows as stopped here

    stopped.signal(signal.SIGCONT)
    assert stopped.exit() == 75
    assert "fenced reason='this worker stood still" in stopped.said()
    assert site.scripts() == []
    assert site.rows() == before
    assert sorted(run.attempt for run in witness.runs() if run.ended) == [1, 1, 2, 2]


def test_a_worker_that_stood_still_for_less_goes_on(site: Site) -> None:
    """Within the lease nothing is lost: its scripts go on, and it settles what they did meanwhile."""
    go_on = site.folder / "go-on"
    site.items(f"a|s|{site.witness.script(f'until test -e {go_on}; do sleep 0.1; done')}")
    worker = site.start("--heartbeat", "0.5s", "--lease", "60s")
    until(lambda: site.witness.begun() == 1)

    worker.signal(signal.SIGSTOP)
    go_on.touch()
    until(lambda: site.witness.runs()[0].ended is not None)
    worker.signal(signal.SIGCONT)

    assert worker.exit() == 0
    assert site.rows()["a"]["Attempt"] == 1

"""Stopping: within the 30 s a platform gives, with nothing left behind. `make big` waits for the grace as it comes."""

from __future__ import annotations

import os
import signal
import time

import pytest

from harness.program import until
from tests.recovery.processes import Site

FULL = "PYANAMO_TEST_BIG" in os.environ
GRACE_S, KILL_AFTER_S = (20, 5) if FULL else (2, 5)
GRACE = () if FULL else ("--grace", f"{GRACE_S}s")
SCRIPTS = 12
DEAF = "trap '' TERM"
GRANDCHILD = f'sh -c "{DEAF}; sleep 3000" & {DEAF}; sleep 3000'  # it ignores TERM, and holds the pipe
LARGE_BYTES = 9_000_000  # more than the first part of an upload, which does not compress
HEARTBEATS = ("--heartbeat", "0.5s", "--lease", "60s")
LONGEST_PAUSE_S = 15  # of a worker that waits for work


def _hold(site: Site, work: str = GRANDCHILD, *, items: int = SCRIPTS) -> None:
    """Import items whose scripts run until they are ended."""
    site.items(*(f"i{n}|s|{site.witness.script(work)}" for n in range(items)))


def _assert_nothing_left(site: Site) -> None:
    assert site.scripts() == []
    assert list((site.folder / "tmp").iterdir()) == []
    assert [file for file in site.folder.glob("logs/**/.*") if file.is_file()] == []
    rows = site.rows().values()
    assert {row["ItemState"] for row in rows} == {"todo"}
    assert {row.get("Interruptions", 0) for row in rows} <= {0, 1}
    assert not any("Failures" in row or "Crashes" in row for row in rows)
    assert [worker["condition"] for worker in site.crew()] == ["ended"]


def test_a_worker_with_deaf_scripts_is_gone_soon_after_its_grace(aws_site: Site) -> None:
    """The grace, TERM, KILL 5 s later; no process, no claim, no upload is left. By default that is within 28 s."""
    site = aws_site
    _hold(site, f"test $PYANAMO_ITEM_ID != i0 || head -c {LARGE_BYTES} /dev/urandom; {GRANDCHILD}")
    worker = site.start("-i", str(SCRIPTS), *GRACE)
    s3, bucket = site.program.client("s3"), site.program.env["S3_BUCKET"]
    until(lambda: site.witness.begun() == SCRIPTS and "Uploads" in s3.list_multipart_uploads(Bucket=bucket))

    began = time.monotonic()
    worker.signal(signal.SIGTERM)
    assert worker.exit() == 75
    took_s = time.monotonic() - began
    assert took_s > GRACE_S + KILL_AFTER_S
    assert took_s < 28 or not FULL
    _assert_nothing_left(site)
    assert "Uploads" not in s3.list_multipart_uploads(Bucket=bucket)
    for row in site.rows().values():
        assert row["Log"]["Status"] == "Interrupted"
        assert row["Reason"] == "attempt 1: interrupted: stop"


def test_scripts_that_end_within_the_grace_are_done(site: Site) -> None:
    """SIGTERM claims nothing more at once; what runs may come to its end."""
    end = site.folder / "end"
    _hold(site, f"until test -e {end}; do sleep 0.1; done", items=4)
    worker = site.start("-i", "2")
    until(lambda: site.witness.begun() == 2)

    worker.signal(signal.SIGTERM)
    until(lambda: "draining" in worker.said())
    end.touch()

    assert worker.exit() == 75
    assert sorted(site.states().values()) == ["done", "done", "todo", "todo"]


def test_a_second_signal_means_now(site: Site) -> None:
    """Neither grace nor TERM for deaf scripts: they are gone in a moment, and nothing else is lost."""
    _hold(site, f"trap 'touch {site.folder}/term' TERM; while :; do sleep 0.1; done")
    worker = site.start("-i", str(SCRIPTS), "--grace", "1h")
    until(lambda: site.witness.begun() == SCRIPTS)
    worker.signal(signal.SIGINT)
    until(lambda: "draining" in worker.said())

    worker.signal(signal.SIGINT)
    assert worker.exit() == 75
    assert not (site.folder / "term").exists()
    _assert_nothing_left(site)


def test_a_second_signal_hastens_what_has_had_its_term(site: Site) -> None:
    """Between TERM and KILL, too, it means now."""
    _hold(site, f"trap 'touch {site.folder}/term.$PYANAMO_ITEM_ID' TERM; while :; do sleep 0.1; done", items=2)
    worker = site.start("-i", "2", "--grace", "0s")
    until(lambda: site.witness.begun() == 2)
    worker.signal(signal.SIGTERM)
    until(lambda: len(list(site.folder.glob("term.*"))) == 2)

    began = time.monotonic()
    worker.signal(signal.SIGTERM)
    assert worker.exit() == 75
    assert time.monotonic() - began < KILL_AFTER_S


@pytest.mark.parametrize(
    ("pyanamo", "which"),
    [("on_sqlite", "--all"), ("on_sqlite", "by id"), ("on_aws", "by id")],
    indirect=["pyanamo"],
)
def test_a_worker_is_stopped_by_order(any_site: Site, which: str) -> None:
    """`pyanamo workers stop` reaches it with its next beat, and it does as for SIGTERM."""
    site = any_site
    _hold(site, "sleep 3000", items=2)
    worker = site.start("-i", "2", "--grace", "0s", *HEARTBEATS)
    until(lambda: site.witness.begun() == 2)

    site.program("workers", "stop", which if which == "--all" else site.crew()[0]["worker"])
    assert worker.exit() == 75
    _assert_nothing_left(site)


def test_a_worker_drains_by_order(site: Site) -> None:
    """`pyanamo workers drain` ends no script, however long it runs."""
    end = site.folder / "end"
    _hold(site, f"until test -e {end}; do sleep 0.1; done", items=3)
    worker = site.start("-i", "2", "--grace", "0s", *HEARTBEATS)
    until(lambda: site.witness.begun() == 2)

    site.program("workers", "drain", "--all")
    until(lambda: "draining" in worker.said())
    assert worker.process.poll() is None
    end.touch()

    assert worker.exit() == 75
    assert sorted(site.states().values()) == ["done", "done", "todo"]


@pytest.mark.parametrize("flags", [["--wait"], ["--idle-exit", "5m"]])
def test_a_worker_that_waits_for_work_stops_at_once(site: Site, flags: list[str]) -> None:
    """It waits up to 15 s between two looks, but not for a signal; and nothing is left: 0."""
    site.items("a|s|true")
    worker = site.start(*flags)
    until(lambda: site.states() == {"a": "done"})

    began = time.monotonic()
    worker.signal(signal.SIGTERM)
    assert worker.exit() == 0
    assert time.monotonic() - began < LONGEST_PAUSE_S


@pytest.mark.parametrize(
    ("number", "ends_scripts"),
    [(signal.SIGUSR1, False), (signal.SIGUSR2, True), (signal.SIGXCPU, True), (signal.SIGQUIT, True)],
    ids=lambda each: each.name if isinstance(each, signal.Signals) else "",
)
def test_warnings_of_schedulers_are_orders(site: Site, number: signal.Signals, *, ends_scripts: bool) -> None:
    """SIGUSR1 drains, SIGUSR2 and SIGXCPU stop, SIGQUIT stops at once; none costs an item a crash."""
    end = site.folder / "end"
    _hold(site, f"until test -e {end}; do sleep 0.1; done", items=2)
    worker = site.start("-i", "1", "--grace", "0s")
    until(lambda: site.witness.begun() == 1)

    worker.signal(number)
    if not ends_scripts:
        worker.signal(number)  # a drain stays a drain
        until(lambda: f"draining reason={number.name}" in worker.said())
        assert worker.process.poll() is None
        end.touch()

    assert worker.exit() == 75
    assert sorted(site.states().values()) == (["todo", "todo"] if ends_scripts else ["done", "todo"])
    assert not any("Failures" in row or "Crashes" in row for row in site.rows().values())


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGUSR2, signal.SIGXCPU], ids=lambda each: each.name)
def test_a_warning_that_is_repeated_leaves_the_grace(site: Site, number: signal.Signals) -> None:
    """A shell and the kernel both send SIGHUP, the kernel SIGXCPU each second: only TERM and INT twice mean now."""
    end = site.folder / "end"
    _hold(site, f"until test -e {end}; do sleep 0.1; done", items=1)
    worker = site.start("-i", "1", "--grace", "1h")
    until(lambda: site.witness.begun() == 1)

    worker.signal(number)
    until(lambda: "draining" in worker.said())
    worker.signal(number)
    end.touch()

    assert worker.exit() == 0
    assert sorted(site.states().values()) == ["done"]

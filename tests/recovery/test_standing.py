"""Workers that stand still: no two attempts at an item at once, and what was stopped by order goes on.

Scripts tell the witness that they run, again and again: the last time is the end of those that are killed.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import psutil
import pytest

from harness.program import PATIENCE_S, until
from tests.recovery.processes import SHORT_LEASE, Site

ITEMS = 2
BLOCKED = """
import asyncio, os, sys, time
from datetime import timedelta
from pathlib import Path
from pyanamo_async import WorkerSettings, open_table, run_on_loop

async def block():
    while not Path("block").exists():
        await asyncio.sleep(0.05)
    while not Path("unblock").exists():
        time.sleep(0.05)

async def main():
    blocking = asyncio.create_task(block())
    async with open_table(os.environ["PYANAMO_TABLE"], bucket=os.environ["S3_BUCKET"]) as table:
        how = WorkerSettings(items=2, heartbeat=timedelta(seconds=0.5), lease=timedelta(seconds=6))
        return (await table.run(how)).exit_status

sys.exit(run_on_loop(main()))
"""


def _hold(site: Site) -> None:
    """Import items whose first attempt never ends; one leaves its process group as well."""
    sign = site.folder / "sign.sh"
    said = '"end $PYANAMO_ITEM_ID $PYANAMO_TASK $PYANAMO_ATTEMPT $at"'
    sign.write_text(f"while :; do at=$(date +%s%N) && echo {said} >> {site.witness.file}; sleep 0.05; done\n")
    first = "test $PYANAMO_ATTEMPT != 1 ||"
    work = (f"{first} sh {sign}", f"{first} {{ setsid sh {sign} & sh {sign}; }}")
    site.items(*(f"i{number}|s|{site.witness.script(work[number])}" for number in range(ITEMS)))


def _other_takes_over(site: Site, *, costs: str = "Interruptions") -> None:
    """Let a second worker run the items to their end; no two attempts at one ran at the same time.

    `costs` is the ledger that counts it.
    """
    other = site.start("-i", str(ITEMS), "--wait", *SHORT_LEASE)
    until(lambda: set(site.states().values()) == {"done"})
    other.signal(signal.SIGTERM)
    assert other.exit() == 0, other.said()
    assert {(row["ItemState"], row["Attempt"]) for row in site.rows().values()} == {("done", 2)}
    ledgers = {(row.get("Crashes", 0), row.get("Interruptions", 0)) for row in site.rows().values()}
    assert ledgers == {(0, 1) if costs == "Interruptions" else (1, 0)}
    assert site.witness.begun() == 2 * ITEMS
    assert site.witness.overlaps() == []


def _children(site: Site) -> list[psutil.Process]:
    children: list[psutil.Process] = psutil.Process(site.workers[0].process.pid).children()
    return children


def _guard(site: Site) -> psutil.Process:
    [guard] = [child for child in _children(site) if "guard" in child.cmdline()]
    return guard


def _is_stopped(process: psutil.Process) -> bool:
    return bool(process.status() == psutil.STATUS_STOPPED)


def test_scripts_of_a_stopped_worker_end_before_another_runs_its_items(any_site: Site) -> None:
    """SIGSTOP leaves the worker no time for anything; when it goes on, it finds that its claims are over."""
    site = any_site
    _hold(site)
    worker = site.start("-i", str(ITEMS), *SHORT_LEASE)
    until(lambda: site.witness.begun() == ITEMS)

    worker.signal(signal.SIGSTOP)
    _other_takes_over(site)
    assert site.scripts() == []

    worker.signal(signal.SIGCONT)
    assert worker.exit() == 75, worker.said()
    assert "fenced" in worker.said()
    assert {row["ItemState"] for row in site.rows().values()} == {"done"}


def test_who_takes_over_on_the_same_machine_ends_the_scripts_first(site: Site) -> None:
    """The guard was killed, and a worker that stands still starts no other: the mark tells which scripts are its."""
    _hold(site)
    worker = site.start("-i", str(ITEMS), *SHORT_LEASE)
    until(lambda: site.witness.begun() == ITEMS)
    guard = _guard(site)

    worker.signal(signal.SIGSTOP)
    until(lambda: _is_stopped(psutil.Process(worker.process.pid)))
    guard.kill()
    _other_takes_over(site)


def test_scripts_of_a_worker_whose_loop_is_blocked_end_before_another_runs_its_items(site: Site) -> None:
    """Whatever holds it up. When it goes on, it finds that its claims are over."""
    _hold(site)
    blocked = subprocess.Popen([sys.executable, "-c", BLOCKED], cwd=site.folder, env=site.program.env)
    try:
        until(lambda: site.witness.begun() == ITEMS)
        (site.folder / "block").touch()
        _other_takes_over(site, costs="Crashes")  # nobody knows what holds it up: it may be the item
        (site.folder / "unblock").touch()
        assert blocked.wait(PATIENCE_S) == 75
    finally:
        blocked.kill()
        blocked.wait()


def test_a_worker_that_is_stopped_by_order_stops_its_scripts(site: Site) -> None:
    """As Ctrl-Z does, or a batch system that suspends jobs; with SIGCONT all goes on, and nothing was lost."""
    go_on = site.folder / "go-on"
    site.items(f"a|s|{site.witness.script(f'until test -e {go_on}; do sleep 0.1; done')}")
    worker = site.start()
    until(lambda: site.witness.begun() == 1)
    scripts = [process for process in _children(site) if "guard" not in process.cmdline()]
    assert scripts

    worker.signal(signal.SIGTSTP)
    until(lambda: all(map(_is_stopped, (psutil.Process(worker.process.pid), *scripts))))
    go_on.touch()
    assert site.states() == {"a": "locked"}

    worker.signal(signal.SIGCONT)
    assert worker.exit() == 0, worker.said()
    assert (site.rows()["a"]["ItemState"], site.rows()["a"]["Attempt"]) == ("done", 1)


def test_scripts_that_were_stopped_for_longer_than_the_lease_do_not_go_on(site: Site) -> None:
    """Another has run their items by then."""
    _hold(site)
    worker = site.start("-i", str(ITEMS), *SHORT_LEASE)
    until(lambda: site.witness.begun() == ITEMS)

    worker.signal(signal.SIGTSTP)
    until(lambda: _is_stopped(psutil.Process(worker.process.pid)))
    _other_takes_over(site)
    worker.signal(signal.SIGCONT)
    assert worker.exit() == 75, worker.said()
    assert site.witness.overlaps() == []


@pytest.mark.skipif(not hasattr(os, "pidfd_open"), reason="needs Linux")
def test_a_worker_that_only_stood_still_for_a_moment_loses_nothing(site: Site) -> None:
    """SIGSTOP and SIGCONT within the lease cost nothing."""
    go_on = site.folder / "go-on"
    site.items(f"a|s|{site.witness.script(f'until test -e {go_on}; do sleep 0.1; done')}")
    worker = site.start()
    until(lambda: site.witness.begun() == 1)
    worker.signal(signal.SIGSTOP)
    until(lambda: _is_stopped(psutil.Process(worker.process.pid)))
    worker.signal(signal.SIGCONT)
    go_on.touch()

    assert worker.exit() == 0, worker.said()
    assert site.rows()["a"]["Attempt"] == 1

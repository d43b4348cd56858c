"""Disks that are full, for ever or for a while: scripts never pay for it."""

from __future__ import annotations

import resource
import subprocess
import time

import pytest

from harness.program import until
from tests.recovery.processes import Site, Worker

LARGE = "head -c 3000000 /dev/urandom"
MIB = 1 << 20


def _largest_file(worker: Worker, most_bytes: int) -> None:
    """Limit the files this process may write, as a full disk would; scripts that run already are not concerned."""
    _, hard = resource.prlimit(worker.process.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(worker.process.pid, resource.RLIMIT_FSIZE, (most_bytes, hard))


def test_output_that_cannot_be_kept_does_not_change_the_outcome(site: Site) -> None:
    """The item is done, its record keeps the end of the output and says why not the whole; the next is not hurt."""
    go_on = site.folder / "go-on"
    wait = f"until test -e {go_on}; do sleep 0.05; done"
    site.items(f"large|s|{site.witness.script(f'{wait}; {LARGE}; echo; echo the end')}", "small|s|echo small")
    worker = site.start("-i", "1")
    until(lambda: site.witness.begun() == 1)

    _largest_file(worker, MIB)
    go_on.touch()

    assert worker.exit() == 0
    rows = site.rows()
    assert site.states() == {"large": "done", "small": "done"}
    assert "File too large" in rows["large"]["Log"]["Log_Status"]
    assert rows["large"]["Log"]["stdout"].endswith("the end\n")
    assert "stdout_at" not in rows["large"]["Log"]
    assert "Log_Status" not in rows["small"]["Log"]
    assert [file for file in site.folder.glob("logs/**/*") if file.is_file()] == []


def test_output_waits_for_room_on_its_disk(site: Site) -> None:
    """A disk that is full for a while makes the script wait, and costs nothing of its output."""
    logs = site.folder / "logs"
    logs.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", logs], check=False).returncode:
        pytest.skip("needs the right to mount a small disk")
    try:
        site.items(f"large|s|{LARGE}")
        worker = site.start()
        until(lambda: sum(file.stat().st_size for file in logs.glob("**/.*")) > MIB // 2)
        time.sleep(0.5)
        assert worker.process.poll() is None
        assert site.states() == {"large": "locked"}

        subprocess.run(["mount", "-o", "remount,size=16m", logs], check=True)
        assert worker.exit() == 0
        log = site.rows()["large"]["Log"]
        assert (log["stdout_bytes"], log.get("Log_Status")) == (3_000_000, None)
    finally:
        site.end()
        subprocess.run(["umount", logs], check=True)


def test_a_table_that_cannot_grow_ends_no_script(site: Site) -> None:
    """The worker says so once, waits, and settles what ended meanwhile as soon as there is room."""
    go_on = site.folder / "go-on"
    site.items(*(f"{name}|s|{site.witness.script(f'until test -e {go_on}; do sleep 0.05; done')}" for name in "abc"))
    worker = site.start("-i", "2", "--heartbeat", "0.3s", "--lease", "90s")
    until(lambda: site.witness.begun() == 2)

    _largest_file(worker, 0)
    until(lambda: "heartbeat failed" in worker.said())
    go_on.touch()
    until(lambda: "store unavailable" in worker.said())
    until(lambda: len([run for run in site.witness.runs() if run.ended]) == 2)
    time.sleep(1)  # three beats that fail
    _largest_file(worker, resource.RLIM_INFINITY)

    assert worker.exit() == 0
    said = worker.said()
    assert [said.count(line) for line in ("store unavailable", "store available again", "heartbeat failed")] == [
        1,
        1,
        1,
    ]
    assert {(row["ItemState"], row["Attempt"]) for row in site.rows().values()} == {("done", 1)}

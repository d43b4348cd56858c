"""Whatever becomes of a worker, no upload is left; only of one killed with -9, and the doctor finds that."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from harness.program import PATIENCE_S, Program, until

SHORT_LEASE = ("--heartbeat", "0.5s", "--lease", "6s")
PRINTED_BYTES = 10_000_000  # more than the first part of an upload
PRINT = f"head -c {PRINTED_BYTES} /dev/urandom; touch printed-$PYANAMO_ATTEMPT; until test -e go-on; do sleep 0.1; done"
Start = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def start(pyanamo: Program) -> Iterator[Start]:
    """Start workers; none of them, nor of their scripts, outlives the test."""
    workers: list[subprocess.Popen[str]] = []

    def start(*flags: str) -> subprocess.Popen[str]:
        workers.append(pyanamo.start("run", *flags))
        return workers[-1]

    yield start
    (pyanamo.folder / "go-on").touch()
    for worker in workers:
        worker.kill()
        worker.wait()


@pytest.mark.parametrize(("signals", "grace"), [(1, "0s"), (2, "20s")])
def test_a_stopped_worker_leaves_no_upload(pyanamo: Program, start: Start, signals: int, grace: str) -> None:
    """What it could not finish is aborted before it goes, also when it is told to go now."""
    worker = printing(pyanamo, start, "--grace", grace)
    for _ in range(signals):
        worker.send_signal(signal.SIGTERM)
        time.sleep(0.5)  # signals that come together are one

    assert worker.wait(timeout=PATIENCE_S) == 75
    assert left(pyanamo) == []
    assert examined(pyanamo, code=0) == []


def test_a_fenced_worker_leaves_no_upload(pyanamo: Program, start: Start) -> None:
    """It comes back when its item is another's: it ends its script and aborts its upload."""
    stopped = printing(pyanamo, start, *SHORT_LEASE)
    stopped.send_signal(signal.SIGSTOP)
    (pyanamo.folder / "go-on").touch()
    assert start(*SHORT_LEASE).wait(timeout=PATIENCE_S) == 0
    assert len(left(pyanamo)) == 1
    stopped.send_signal(signal.SIGCONT)

    assert stopped.wait(timeout=PATIENCE_S) == 75
    assert left(pyanamo) == []
    assert len(pyanamo.rows()["a"]["Log"]["stdout_at"]) > 0


def test_what_a_killed_worker_leaves_is_found_and_removed(pyanamo: Program, start: Start) -> None:
    """Its item, until it is reclaimed, and what it had begun to store; what a living worker stores is no finding."""
    killed = printing(pyanamo, start)
    killed.kill()
    killed.wait()
    until(lambda: "worker vanished" in kinds(pyanamo))  # when its scripts are gone
    assert kinds(pyanamo) == ["worker vanished", "output unfinished"]

    living = printing(pyanamo, start, attempt=2)
    [finding] = examined(pyanamo, code=3)
    assert re.search(r"/a/Task_0/1-[0-9a-f]{8}\.stdout\.gz$", finding["which"])
    assert len(left(pyanamo)) == 2
    [removed] = examined(pyanamo, "--remove", code=0)
    assert (removed["which"], removed["removed"]) == (finding["which"], True)
    assert len(left(pyanamo)) == 1

    (pyanamo.folder / "go-on").touch()
    assert living.wait(timeout=PATIENCE_S) == 0
    assert left(pyanamo) == []
    assert examined(pyanamo, code=0) == []
    assert pyanamo.rows()["a"]["Log"]["stdout_bytes"] == PRINTED_BYTES


def test_a_person_reads_lines_with_hints(on_sqlite: Program) -> None:
    """One line for each finding, and a word when there is none."""
    on_sqlite.import_rows("a|s|seq 30000")
    on_sqlite("run")
    healthy = on_sqlite.run("doctor")
    folder = Path(on_sqlite.rows()["a"]["Log"]["stdout_at"].removeprefix("file:")).parent
    (folder / ".2.stderr.gz.0123abcd").touch()
    young = on_sqlite.run("doctor")
    found = on_sqlite.run("doctor", "--older-than", "0s")

    assert (healthy.returncode, young.returncode, found.returncode) == (0, 0, 3)
    assert "all is well, and nothing is left behind" in healthy.stderr
    [_, line] = found.stdout.splitlines()
    assert line.startswith(f"output unfinished\tfile:{folder}/2.stderr.gz\t")
    assert "`pyanamo doctor` with --remove" in line


def printing(of: Program, start: Start, *flags: str, attempt: int = 1) -> subprocess.Popen[str]:
    """Start a worker and wait until its script has printed enough for an upload to be under way."""
    if attempt == 1:
        of.import_rows(f"a|s|{PRINT}")
    before = len(left(of))
    worker = start(*flags)
    until(lambda: (of.folder / f"printed-{attempt}").exists() and len(left(of)) > before)
    return worker


def left(of: Program) -> list[str]:
    """List uploads and files under way, looked at from outside."""
    if of.table.startswith("sqlite:"):
        return [str(path) for path in Path(of.folder, "logs").rglob(".*.gz.*")]
    uploads: Any = of.client("s3").list_multipart_uploads(Bucket=of.bucket).get("Uploads", [])
    return [upload["Key"] for upload in uploads]


def kinds(of: Program) -> list[str]:
    return [finding["finding"] for finding in json.loads(of.run("doctor", "--json", "--older-than", "0s").stdout)]


def examined(of: Program, *flags: str, code: int) -> list[dict[str, Any]]:
    findings: list[dict[str, Any]] = json.loads(of("doctor", "--json", "--older-than", "0s", *flags, code=code))
    return findings

"""Scripts that print a lot: all of it is kept, and the worker's memory knows nothing of it.

`make big` has 1 GB from one task and 20 MB from each of a hundred; `make slow` a tenth of it, and not of each kind.
"""

from __future__ import annotations

import gzip
import hashlib
import os
import random
import signal
import subprocess
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from harness.program import PATIENCE_S, Program, until
from tests.outputs.text import text

FULL = "PYANAMO_TEST_BIG" in os.environ
MB, MIB = 1_000_000, 1 << 20
ONE_PRINTS_MB, EACH_PRINTS_MB = (1000, 20) if FULL else (100, 2)
TASKS = 100
MOST_ABOVE_IDLE = {1: 64 * MIB, TASKS: 160 * MIB}
WITHIN_S = 900 if FULL else 300

pytestmark = [
    pytest.mark.timeout(3 * WITHIN_S),
    pytest.mark.skipif(not Path("/proc").is_dir(), reason="the peak of a process's memory is read from /proc"),
]


@pytest.mark.parametrize("kind", ["text", "one line", "noise"] if FULL else ["one line", "noise"])
def test_what_one_task_prints_is_stored_whole_in_little_memory(on_aws: Program, kind: str) -> None:
    """Text, a line without an end, and what does not compress arrive in S3 byte for byte, within 64 MB above idle."""
    script = _printing(on_aws.folder, kind, ONE_PRINTS_MB)
    with _idle_worker(on_aws) as worker:
        on_aws.import_rows(f"big|s|{script}")
        until(lambda: on_aws.rows()["big"]["ItemState"] == "done", within_seconds=WITHIN_S)
        above_idle = worker.peak_bytes() - worker.idle_bytes

    record = on_aws.rows()["big"]["Log"]
    printed = _sha256(_stdout(["sh", "-c", script], on_aws))
    assert record["stdout_bytes"] == ONE_PRINTS_MB * MB
    assert printed == _sha256(_stored(on_aws, record["stdout_at"]))
    assert printed == _sha256(_stdout(on_aws.command("logs", "big"), on_aws))
    _stays_below(MOST_ABOVE_IDLE[1], above_idle, f"{ONE_PRINTS_MB} MB, {kind}")


@pytest.mark.parametrize("kind", ["text", "noise"] if FULL else ["noise"])
def test_a_hundred_tasks_print_at_once_in_bounded_memory(on_aws: Program, kind: str) -> None:
    """With a slot for each of them the worker stays within 160 MB above idle, and nobody's output is another's."""
    script = _printing(on_aws.folder, kind, EACH_PRINTS_MB)
    with _idle_worker(on_aws, "-i", str(TASKS)) as worker:
        on_aws.import_rows(*(f"t{n}|s|{script} && echo {n}" for n in range(TASKS)))
        done = lambda: [row["ItemState"] for row in on_aws.rows().values()].count("done") == TASKS + 1  # noqa: E731
        until(done, within_seconds=WITHIN_S)
        above_idle = worker.peak_bytes() - worker.idle_bytes

    rows = on_aws.rows()
    printed = list(_stdout(["sh", "-c", script], on_aws))
    for n in range(TASKS):
        assert _sha256([*printed, f"{n}\n".encode()]) == _sha256(_stored(on_aws, rows[f"t{n}"]["Log"]["stdout_at"]))
    _stays_below(MOST_ABOVE_IDLE[TASKS], above_idle, f"{TASKS} x {EACH_PRINTS_MB} MB, {kind}")


@dataclass(frozen=True, slots=True)
class _Watched:
    """A worker that has been seen idle."""

    pid: int
    idle_bytes: int

    def peak_bytes(self) -> int:
        """Read the largest resident set the kernel has seen of it (proc(5), VmHWM)."""
        [line] = [line for line in Path(f"/proc/{self.pid}/status").read_text().splitlines() if "VmHWM" in line]
        return int(line.split()[1]) * 1024


@contextmanager
def _idle_worker(of: Program, *flags: str) -> Iterator[_Watched]:
    """Keep a worker that has done one small item and waits for more."""
    of("table", "create")
    worker = of.start("run", "--wait", "-b", of.bucket, *flags)
    try:
        of.import_rows("small|s|true")
        until(lambda: of.rows()["small"]["ItemState"] == "done")
        yield _Watched(worker.pid, psutil.Process(worker.pid).memory_info().rss)
    finally:
        worker.send_signal(signal.SIGTERM)
        code = worker.wait(timeout=PATIENCE_S)
    assert code == 0


def _printing(folder: Path, kind: str, megabytes: int) -> str:
    """Write a file of 1 MB, and a script that prints it so many times, each time with a number in front."""
    rng = random.Random(2)
    block = rng.randbytes(MB) if kind == "noise" else b"".join(text(1))
    (folder / "block").write_bytes((block.replace(b"\n", b" ") if kind == "one line" else block)[8:])
    return f"for n in $(seq 10000001 {10000000 + megabytes}); do printf $n; cat block; done"


def _stored(of: Program, location: str) -> Iterator[bytes]:
    """Read an object from outside."""
    client = of.client("s3")
    assert "Uploads" not in client.list_multipart_uploads(Bucket=of.bucket)
    key = location.removeprefix(f"s3://{of.bucket}/")
    with gzip.open(client.get_object(Bucket=of.bucket, Key=key)["Body"]) as stream:
        while chunk := stream.read(MIB):
            yield chunk


def _stdout(command: list[str], of: Program) -> Iterator[bytes]:
    with subprocess.Popen(command, env=of.env, cwd=of.folder, stdout=subprocess.PIPE) as printer:
        assert printer.stdout
        while chunk := printer.stdout.read(MIB):
            yield chunk


def _sha256(chunks: Iterable[bytes]) -> str:
    digest = hashlib.sha256()
    for chunk in chunks:
        digest.update(chunk)
    return digest.hexdigest()


def _stays_below(most: int, above_idle: int, what: str) -> None:
    print(f"{what}: peak {above_idle / MIB:.0f} MiB above idle, goal {most / MIB:.0f}")
    assert above_idle <= most, what

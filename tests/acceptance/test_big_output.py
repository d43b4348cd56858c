"""A script that prints a lot: all of it is kept, and the worker's memory knows nothing of it."""

from __future__ import annotations

import gzip
import hashlib
import random
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.acceptance.program import Program, until

MIB = 1 << 20
PRINTED_MIB = 200
HEADROOM_BYTES = 64 * MIB
SEED = 2
WRITER = f"""
import random, sys
dice = random.Random({SEED})
for _ in range({PRINTED_MIB}):
    sys.stdout.buffer.write(dice.randbytes({MIB}))
"""


@pytest.mark.timeout(400)
@pytest.mark.skipif(not Path("/proc").is_dir(), reason="the peak of a process's memory is read from /proc")
def test_two_hundred_megabytes_are_stored_whole_in_little_memory(on_aws: Program) -> None:
    """200 MB that do not compress arrive in S3 byte for byte; the worker stays within 64 MB of its idle size."""
    (on_aws.folder / "print.py").write_text(WRITER)
    on_aws("table", "create")
    worker = on_aws.start("run", "--wait", "-b", on_aws.bucket)
    try:
        on_aws.import_rows("small|s|true")
        until(lambda: on_aws.rows()["small"]["ItemState"] == "done")
        idle_bytes = psutil.Process(worker.pid).memory_info().rss
        on_aws.import_rows(f"big|s|{sys.executable} print.py")
        until(lambda: on_aws.rows()["big"]["ItemState"] == "done", within_seconds=250)
        peak_bytes = _peak_bytes(worker.pid)
    finally:
        worker.send_signal(signal.SIGTERM)

    assert worker.wait(timeout=30) == 0
    record = on_aws.rows()["big"]["Log"]
    assert record["stdout_bytes"] == PRINTED_MIB * MIB
    assert _sha256(_printed()) == _sha256(_stored(on_aws))
    assert _sha256(_printed()) == _sha256(_read_back(on_aws))
    assert peak_bytes - idle_bytes <= HEADROOM_BYTES, f"{peak_bytes / MIB:.0f} MiB, idle {idle_bytes / MIB:.0f} MiB"


def _printed() -> Iterator[bytes]:
    dice = random.Random(SEED)
    for _ in range(PRINTED_MIB):
        yield dice.randbytes(MIB)


def _stored(of: Program) -> Iterator[bytes]:
    """Read the one object in the bucket, from outside."""
    client = of.client("s3")
    [entry] = client.list_objects_v2(Bucket=of.bucket)["Contents"]
    assert "Uploads" not in client.list_multipart_uploads(Bucket=of.bucket)
    with gzip.open(client.get_object(Bucket=of.bucket, Key=entry["Key"])["Body"]) as stream:
        while chunk := stream.read(MIB):
            yield chunk


def _read_back(of: Program) -> Iterator[bytes]:
    with subprocess.Popen(of.command("logs", "big"), env=of.env, cwd=of.folder, stdout=subprocess.PIPE) as reader:
        assert reader.stdout
        while chunk := reader.stdout.read(MIB):
            yield chunk


def _sha256(chunks: Iterator[bytes]) -> str:
    digest = hashlib.sha256()
    for chunk in chunks:
        digest.update(chunk)
    return digest.hexdigest()


def _peak_bytes(pid: int) -> int:
    """Read the largest resident set the kernel has seen of a process (proc(5), VmHWM)."""
    [line] = [line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("VmHWM")]
    return int(line.split()[1]) * 1024

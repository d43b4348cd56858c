"""Folders that are larger than anybody thought: many files, and files larger than memory should be."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

MEGABYTE = 1 << 20
IDLE_AND_64_MB = 160 * MEGABYTE  # the interpreter, the program, and what the storage may hold
AWS_CLIENT = 96 * MEGABYTE  # with the models of S3, and what is on its way
STORE_AND_RESTORE = """
import asyncio, os, sys
from pathlib import Path
from aiobotocore.session import get_session
from pyanamo_async.outputs.files import FileObjects
from pyanamo_async.outputs.s3 import S3Objects, open_bucket
from pyanamo_async.ports import ObjectKey
from pyanamo_async.worker.checkpoints import Checkpoints

async def main(root):
    if not (bucket := os.environ.get("BUCKET")):
        return await work(root, FileObjects(root / "logs"))
    async with get_session().create_client("s3") as client:
        await work(root, S3Objects(open_bucket(client, bucket)))

async def work(root, objects):
    key = ObjectKey("table", "item", "Task_0", "")
    for number in (1, 2):
        folder = root / str(number) / "checkpoint"
        folder.mkdir(parents=True, exist_ok=True)
        attempt = Checkpoints(folder, objects, key, attempt=number, mark="ab")
        await attempt.restore()
        if number == 1:
            await attempt.store(seconds=1)
    # ru_maxrss begins with that of the process that started this one
    peak = int(Path("/proc/self/status").read_text().partition("VmHWM:")[2].split()[0]) * 1024
    print(peak, attempt.restored.files, attempt.restored.size_bytes)

asyncio.run(main(Path(sys.argv[1])))
"""


def store_and_restore(root: Path, **env: str) -> tuple[int, int, int]:
    """Store what is in the folder of a first attempt, restore it; return peak memory, files and bytes."""
    done = subprocess.run(
        [sys.executable, "-c", STORE_AND_RESTORE, root],
        capture_output=True,
        text=True,
        check=True,
        timeout=900,
        env={**os.environ, **env},
    )
    peak, files, size = map(int, done.stdout.split())
    return peak, files, size


def a_gigabyte(tmp_path: Path) -> Path:
    """Make a file for a first attempt."""
    folder = tmp_path / "1" / "checkpoint"
    folder.mkdir(parents=True)
    with (folder / "state").open("wb") as file:
        for number in range(1024):
            file.write(bytes([number % 256]) * MEGABYTE)
    return folder / "state"


def test_a_gigabyte_takes_no_memory(tmp_path: Path) -> None:
    """It is stored and restored in pieces."""
    state = a_gigabyte(tmp_path)
    peak, files, size = store_and_restore(tmp_path)

    assert (files, size) == (1, 1024 * MEGABYTE)
    assert peak < IDLE_AND_64_MB
    restored = tmp_path / "2" / "checkpoint" / "state"
    assert subprocess.run(["cmp", state, restored], check=False).returncode == 0


@pytest.mark.timeout(1200)
def test_a_gigabyte_in_a_bucket_takes_no_memory(tmp_path: Path, bucket: str, aws_env: dict[str, str]) -> None:
    """It is uploaded in parts, and restored as it comes."""
    state = a_gigabyte(tmp_path)
    peak, files, size = store_and_restore(tmp_path, BUCKET=bucket, **aws_env)

    assert (files, size) == (1, 1024 * MEGABYTE)
    assert peak < IDLE_AND_64_MB + AWS_CLIENT
    restored = tmp_path / "2" / "checkpoint" / "state"
    assert subprocess.run(["cmp", state, restored], check=False).returncode == 0


def test_a_hundred_thousand_files_are_kept(tmp_path: Path) -> None:
    """All of them, in one pack."""
    for place in range(100):
        folder = tmp_path / "1" / "checkpoint" / str(place)
        folder.mkdir(parents=True)
        for number in range(1000):
            (folder / f"file-{number}").write_text(f"{place} {number}")
    peak, files, _ = store_and_restore(tmp_path)

    assert files == 100_000
    assert peak < 4 * IDLE_AND_64_MB
    assert (tmp_path / "2/checkpoint/99/file-999").read_text() == "99 999"
    assert len([*(tmp_path / "logs").rglob("pack")]) == 1

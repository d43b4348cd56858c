"""Memory does not depend on how much is printed: measured from outside, in a process of its own."""

from __future__ import annotations

import asyncio
import hashlib
import os
import sys
from pathlib import Path

import pytest

from harness.servers.running import environment
from pyanamo_async.outputs.s3 import S3Outputs, open_bucket
from tests.outputs.stores import s3_client
from tests.outputs.text import text


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs /proc to read the peak of memory")
@pytest.mark.parametrize(("sinks", "megabytes", "most_mib"), [(1, 150, 64), (20, 25, 120)])
async def test_memory_is_bounded(moto_endpoint: str, bucket: str, sinks: int, megabytes: int, most_mib: int) -> None:
    """One large output, and many at once whose parts together are larger than the spool, are stored whole."""
    command = [sys.executable, "-m", "tests.outputs.child", bucket, str(sinks), str(megabytes)]
    env = {**os.environ, **environment("", moto_endpoint)}
    child = await asyncio.create_subprocess_exec(*command, env=env, stdout=asyncio.subprocess.PIPE)
    above_idle, *locations = (await child.communicate())[0].decode().split()

    assert int(above_idle) <= most_mib
    expected = hashlib.sha256(b"".join(text(megabytes))).hexdigest()
    async with s3_client(moto_endpoint) as client:
        store = S3Outputs(open_bucket(client, bucket))
        assert {await checksum_at(store, location) for location in locations} == {expected}


async def checksum_at(store: S3Outputs, location: str) -> str:
    digest = hashlib.sha256()
    async for piece in store.read(location):
        digest.update(piece)
    return digest.hexdigest()

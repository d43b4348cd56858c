"""Measure output from a script's pipe to S3: `python -m benchmarks.output [--megabytes N] [--rounds N]`.

Throughput: a script prints a file, and a bare loop uploads the same compressed parts to the same server (moto, in a
process of its own), by turns. Memory: the peak of a process of its own, above what it has before the first byte.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from harness.servers.running import Run, environment
from pyanamo_async.aws.session import Aws
from pyanamo_async.core.capture import Capture
from pyanamo_async.execution.launcher import ShellLauncher, find_shell
from pyanamo_async.execution.runner import run
from pyanamo_async.outputs.compression import Compressor
from pyanamo_async.outputs.s3 import S3Outputs, open_bucket
from pyanamo_async.outputs.upload import part_bytes
from pyanamo_async.ports import Command, OutputKey
from pyanamo_async.worker.recorder import Recorder

if TYPE_CHECKING:
    from types_aiobotocore_s3 import S3Client
    from types_aiobotocore_s3.type_defs import CompletedPartTypeDef

BUCKET = "benchmark"
GOALS = {(1, 1000): 64, (100, 20): 160}  # tasks at once, MB each: MB above idle (issue 4)
LINES = 20_000


def alignments(rng: random.Random) -> Iterator[bytes]:
    """Write lines as aligners print them: places, bases and their qualities."""
    for number in range(LINES):
        bases = "".join(rng.choices("ACGT", k=100))
        quality = "".join(rng.choices("FFFFFF:,#", k=100))
        place = f"chr{rng.randrange(1, 23)}\t{rng.randrange(1, 10**8)}"
        yield f"read.{number}\t{rng.choice((0, 16))}\t{place}\t60\t100M\t*\t0\t0\t{bases}\t{quality}\n".encode()


async def carry(store: S3Outputs, script: str, item: str) -> str:
    """Run a script as the worker does and return where its output is."""
    key = OutputKey("table", item, "Task_0", 1, "stdout")
    stdout, stderr = (Recorder(Capture(2048), lambda: store.open(key)) for _ in range(2))
    process = await ShellLauncher(find_shell()).start(Command(script, os.environ), stdout=stdout, stderr=stderr)
    for recorder in (stdout, stderr):
        recorder.resume_with(process.resume)
    await process.wait()
    await process.finish(linger=timedelta())
    await stderr.close()
    return (await stdout.close()).at


async def upload(client: S3Client, key: str, parts: list[bytes]) -> None:
    """Upload parts, one after the other: the bare loop."""
    upload_id = (await client.create_multipart_upload(Bucket=BUCKET, Key=key))["UploadId"]
    etags: list[CompletedPartTypeDef] = []
    for number, part in enumerate(parts, 1):
        answer = await client.upload_part(Bucket=BUCKET, Key=key, UploadId=upload_id, PartNumber=number, Body=part)
        etags.append({"PartNumber": number, "ETag": answer["ETag"]})
    await client.complete_multipart_upload(Bucket=BUCKET, Key=key, UploadId=upload_id, MultipartUpload={"Parts": etags})


async def compressed(file: Path) -> list[bytes]:
    """Compress a file as a sink does, cut into the parts a sink sends."""
    compressor = Compressor()
    with file.open("rb") as opened:
        pieces = [await compressor.feed(chunk) for chunk in iter(lambda: opened.read(1 << 16), b"")]
    whole = b"".join([*pieces, await compressor.end()])
    size = part_bytes(1)
    return [whole[at : at + size] for at in range(0, len(whole), size)]


async def throughput(file: Path, rounds: int) -> None:
    """Print how long both take, by turns, and the ratio of their speeds."""
    parts, megabytes = await compressed(file), file.stat().st_size / 1e6
    ours, bare = [], []
    async with Aws() as aws:
        client = await aws.s3()
        store = S3Outputs(open_bucket(client, BUCKET))
        for number in range(rounds):
            began = time.perf_counter()
            await carry(store, f"cat {file}", f"round {number}")
            ours.append(time.perf_counter() - began)
            began = time.perf_counter()
            await upload(client, f"bare/{number}", parts)
            bare.append(time.perf_counter() - began)
    ratio = statistics.median(loop / pipe for pipe, loop in zip(ours, bare, strict=True))
    mean = statistics.median(ours)
    print(f"{megabytes:.0f} MB of text, {sum(map(len, parts)) / 1e6:.0f} MB compressed, {rounds} rounds")
    print(f"pipe to S3 {mean:.2f} s ({megabytes / mean:.0f} MB/s), bare loop {statistics.median(bare):.2f} s")
    print(f"throughput of the bare loop reached: {ratio:.2f} (goal 0.70)")


async def memory(file: Path, tasks: int, megabytes: int) -> None:
    """Print what so many tasks at once, that print so much each, need above idle."""
    async with Aws(concurrency=64) as aws:
        store = S3Outputs(open_bucket(await aws.s3(), BUCKET))
        await carry(store, f"head -c 1000000 {file}", "warm")
        idle = memory_of_status("VmRSS")
        script = f"while cat {file}; do :; done | head -c {megabytes}000000"
        await asyncio.gather(*(carry(store, script, f"item {tasks} {number}") for number in range(tasks)))
        above = memory_of_status("VmHWM") - idle
    goal = GOALS[tasks, megabytes]
    print(f"{tasks} x {megabytes} MB at once: idle {idle:.0f} MB, peak {above:.0f} MB above it (goal {goal})")


def memory_of_status(name: str) -> float:
    """Read a figure of this process in MiB."""
    [line] = [line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith(name)]
    return int(line.split()[1]) / 1024


def main() -> None:
    """Measure all of it, each in a process of its own."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--megabytes", type=int, default=400)
    arguments.add_argument("--rounds", type=int, default=5)
    arguments.add_argument("--child", nargs="*", help=argparse.SUPPRESS)
    chosen = arguments.parse_args()
    if chosen.child:
        file, *figures = chosen.child
        tasks, megabytes = map(int, figures)
        return run(memory(Path(file), tasks, megabytes) if tasks else throughput(Path(file), megabytes))
    servers = Run.mine()
    try:
        measure(servers, chosen.megabytes, chosen.rounds)
    finally:
        servers.end()


def measure(servers: Run, megabytes: int, rounds: int) -> None:
    """Write the text and start the processes that measure."""
    moto = servers.moto()
    env = {**os.environ, **environment("", moto)}
    with tempfile.NamedTemporaryFile() as file:
        lines = list(alignments(random.Random(1)))
        while file.tell() < megabytes * 1_000_000:
            file.writelines(lines)
        file.flush()
        make_bucket(moto)
        for tasks, figure in [(0, rounds), *GOALS]:
            command = [sys.executable, "-m", "benchmarks.output", "--child", file.name, str(tasks), str(figure)]
            subprocess.run(command, env=env, check=True)


def make_bucket(endpoint: str) -> None:
    """Make the bucket all of it goes to."""
    import boto3

    session = boto3.Session("test", "test", region_name="us-east-1")
    session.client("s3", endpoint_url=endpoint).create_bucket(Bucket=BUCKET)


if __name__ == "__main__":
    main()

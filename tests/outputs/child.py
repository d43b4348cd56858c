"""Write outputs to S3 and print what memory that took: `python -m tests.outputs.child BUCKET SINKS MEGABYTES`.

Prints the MiB above idle at the peak, and the locations.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from pyanamo_async.aws.session import Aws
from pyanamo_async.outputs.s3 import S3Outputs, open_bucket
from pyanamo_async.ports import OutputKey
from tests.outputs.text import text


async def main(bucket: str, sinks: int, megabytes: int) -> None:
    """Warm up, measure, write, measure."""
    async with Aws() as aws:
        store = S3Outputs(open_bucket(await aws.s3(), bucket))
        await write(store, 0, 1)
        idle = memory("VmRSS")
        locations = await asyncio.gather(*(write(store, number, megabytes) for number in range(1, sinks + 1)))
        print(memory("VmHWM") - idle, *locations)


async def write(store: S3Outputs, number: int, megabytes: int) -> str:
    """Write one output in chunks as they come from a pipe."""
    sink = store.open(OutputKey("t", f"item {number}", "Task_0", 1, "stdout"))
    for chunk in text(megabytes):
        await sink.write(chunk)
    return await sink.close()


def memory(name: str) -> int:
    """Read a figure of this process in MiB."""
    [line] = [line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith(name)]
    return int(line.split()[1]) >> 10


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], *map(int, sys.argv[2:])))

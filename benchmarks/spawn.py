"""How fast scripts start: `sh -c true` at 8 slots, side by side, with what each costs this process.

    python benchmarks/spawn.py [--scripts 1000] [--rounds 5]

Rounds are interleaved, because a shared machine drifts; medians and ratios are what counts. xargs keeps no output and
records nothing; the others capture both outputs, ours tells each script's memory and CPU time besides.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import statistics
import subprocess
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta

from rich.console import Console
from rich.table import Table

from pyanamo_async.execution import Guard, Loop, ShellLauncher, run
from pyanamo_async.ports import Command

SLOTS = 8
SCRIPT = "true"
PIPE = asyncio.subprocess.PIPE
DEVNULL = asyncio.subprocess.DEVNULL


@dataclass
class Contender:
    """One way to run scripts, and what each round of it took per script."""

    name: str
    race: Callable[[int], None]
    seconds: list[float] = field(default_factory=list)
    cpu_seconds: list[float] = field(default_factory=list)

    def run(self, scripts: int) -> None:
        wall, cpu = time.perf_counter(), time.process_time()
        self.race(scripts)
        self.seconds.append((time.perf_counter() - wall) / scripts)
        self.cpu_seconds.append((time.process_time() - cpu) / scripts)


class Nobody:
    """Takes output and keeps none."""

    def feed(self, chunk: bytes) -> bool:
        return bool(chunk)


def xargs(scripts: int) -> None:
    names = "\n".join(map(str, range(scripts)))
    subprocess.run(["xargs", f"-P{SLOTS}", "-I{}", "sh", "-c", SCRIPT], input=names, text=True, check=True)


def with_pipes(loop: Loop) -> Callable[[int], None]:
    async def one() -> None:
        process = await asyncio.create_subprocess_shell(SCRIPT, stdin=DEVNULL, stdout=PIPE, stderr=PIPE)
        await process.communicate()

    return lambda scripts: run(at_slots(scripts, one), loop=loop)


def with_launcher(loop: Loop) -> Callable[[int], None]:
    guard = Guard()
    launcher = ShellLauncher("sh", guard=guard)
    command = Command(SCRIPT, dict(os.environ))

    async def one() -> None:
        process = await launcher.start(command, stdout=Nobody(), stderr=Nobody())
        await process.wait()
        await process.finish(linger=timedelta(0))

    return lambda scripts: run(at_slots(scripts, one), loop=loop)


async def at_slots(scripts: int, one: Callable[[], Awaitable[None]]) -> None:
    left = iter(range(scripts))

    async def slot(left: Iterator[int]) -> None:
        for _ in left:
            await one()

    async with asyncio.TaskGroup() as slots:
        for _ in range(SLOTS):
            slots.create_task(slot(left))


def table(contenders: list[Contender], rounds: int, scripts: int) -> Table:
    found = Table(title=f"{scripts} x sh -c {SCRIPT}, {SLOTS} at a time: medians of {rounds} interleaved rounds")
    for column in ("", "scripts/s", "of xargs", "CPU here, ms each"):
        found.add_column(column, justify="left" if not column else "right")
    floor = contenders[0].seconds
    for each in contenders:
        ratios = [mine and theirs / mine for mine, theirs in zip(each.seconds, floor, strict=True)]
        found.add_row(
            each.name,
            f"{1 / statistics.median(each.seconds):.0f}",
            f"{statistics.median(ratios):.2f}",
            f"{1000 * statistics.median(each.cpu_seconds):.2f}",
        )
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scripts", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=5)
    asked = parser.parse_args()
    contenders = [
        Contender("xargs -P8", xargs),
        Contender("asyncio + PIPE", with_pipes(Loop.ASYNCIO)),
        Contender("uvloop + PIPE", with_pipes(Loop.UVLOOP)),
        Contender("fast loop + PIPE", with_pipes(Loop.FAST)),
        Contender("asyncio + launcher", with_launcher(Loop.ASYNCIO)),
        Contender("fast loop + launcher", with_launcher(Loop.FAST)),
    ]
    for _ in range(asked.rounds):
        for each in contenders:
            each.run(asked.scripts)
    Console().print(table(contenders, asked.rounds, asked.scripts))


if __name__ == "__main__":
    main()

"""How fast scripts start: `sh -c true` at 8 slots, with what each costs this process: `python -m benchmarks.spawn`.

xargs keeps no output and records nothing; the others capture both outputs, ours tells each script's memory and CPU time
besides. `floors` and `throughput` tell what a table adds to that.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta

import uvloop

from benchmarks.contenders import Xargs
from benchmarks.course import Course, run_alone
from benchmarks.report import Section, Table
from benchmarks.rounds import Contender, Lap, faster, interleaved, median
from pyanamo_async.execution import Guard, ShellLauncher, run
from pyanamo_async.execution.runner import LoopFactory, fastest_loop
from pyanamo_async.ports import Command

SCRIPT = "true"
PIPE = asyncio.subprocess.PIPE
DEVNULL = asyncio.subprocess.DEVNULL

One = Callable[[str], Awaitable[None]]
"""Runs a script once."""


@dataclass(frozen=True, slots=True)
class InProcess:
    """One way to run scripts from an event loop of this process."""

    name: str
    course: Course
    loop_factory: LoopFactory
    one: One

    def lap(self, script: str, scripts: int) -> Lap:
        """Run a script so many times."""
        wall, cpu = time.perf_counter(), time.process_time()
        run(at_slots(scripts, self.course.slots, lambda: self.one(script)), loop_factory=self.loop_factory)
        return Lap(scripts, time.perf_counter() - wall, time.process_time() - cpu)


class Nobody:
    """Takes output and keeps none."""

    def feed(self, chunk: bytes) -> bool:
        return bool(chunk)


async def with_pipes(script: str) -> None:
    """Use what asyncio has."""
    process = await asyncio.create_subprocess_shell(script, stdin=DEVNULL, stdout=PIPE, stderr=PIPE)
    await process.communicate()


def with_launcher() -> One:
    """Use what the worker uses."""
    launcher, env = ShellLauncher("sh", guard=Guard()), dict(os.environ)

    async def one(script: str) -> None:
        process = await launcher.start(Command(script, env), stdout=Nobody(), stderr=Nobody())
        await process.wait()
        await process.finish(linger=timedelta(0))

    return one


async def at_slots(scripts: int, slots: int, one: Callable[[], Awaitable[None]]) -> None:
    """Run a script so many times, so many at a time."""
    left = iter(range(scripts))

    async def slot(left: Iterator[int]) -> None:
        for _ in left:
            await one()

    async with asyncio.TaskGroup() as tasks:
        for _ in range(slots):
            tasks.create_task(slot(left))


def measure(course: Course) -> Section:
    """Let all of them run."""
    launched = with_launcher()
    lined_up: list[Contender] = [
        Xargs(course),
        InProcess("asyncio + PIPE", course, asyncio.new_event_loop, with_pipes),
        InProcess("uvloop + PIPE", course, uvloop.new_event_loop, with_pipes),
        InProcess("asyncio + launcher", course, asyncio.new_event_loop, launched),
        InProcess("fast loop + launcher", course, fastest_loop(), launched),
    ]
    laps = interleaved(lined_up, course.rounds, lambda each: each.lap(SCRIPT, course.items))
    xargs = laps[lined_up[0].name]
    title = f"{course.items} x sh -c {SCRIPT}, {course.slots} at a time: medians of {course.rounds} interleaved rounds"
    rows = tuple(
        (
            name,
            f"{median(mine, lambda lap: lap.rate):.0f}",
            f"{faster(mine, xargs):.2f}",
            f"{1000 * median(mine, lambda lap: lap.cpu_seconds / lap.scripts):.2f}",
        )
        for name, mine in laps.items()
    )
    return Section(Table(title, ("", "scripts/s", "of xargs", "CPU, ms each"), rows))


if __name__ == "__main__":
    run_alone(measure, __doc__)

"""Peak memory as it is measured, against what programs truly used."""

from __future__ import annotations

import asyncio
import os
import resource
import shlex
import sys
import threading
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import NamedTuple

import pytest

from pyanamo_async.core.memory.measure import Measure
from pyanamo_async.execution import MemorySampler, ShellLauncher, run
from pyanamo_async.ports import Command, Exit
from tests.memory import programs
from tests.memory.programs import MIB, program

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="/proc is Linux's")


class Case(NamedTuple):
    """A program, how much memory it takes, in how many processes, how often it says so, and how that is measured."""

    body: str
    true_mib: int
    processes: int = 1
    ready: int = 1
    measure: Measure = Measure.RSS
    within: float = 0.1


CASES = {
    "one process": Case(programs.ONE, 200),
    "two children": Case(programs.TWO_CHILDREN, 200, processes=3, ready=2, measure=Measure.PSS),
    "a deep tree": Case(programs.DEEP, 200, processes=5, measure=Measure.PSS),
    "a spike of 50 ms": Case(programs.SPIKE, 200),
    "pages shared after fork": Case(programs.FORKED, 200, ready=3, measure=Measure.PSS),
    "a shared mapping": Case(programs.SHARED, 200, ready=2, measure=Measure.PSS),
    "a large file, mapped": Case(programs.FILE, 0, within=1.0),  # it is small: a few MB more are as many again
}


class Samples:
    """Tells how often each script was sampled."""

    def __init__(self) -> None:
        self._taken = threading.Condition()
        self.count = 0

    def __call__(self, _: Mapping[int, int]) -> None:
        with self._taken:
            self.count += 1
            self._taken.notify_all()

    def wait_for_whole_one(self) -> None:
        """Wait until a sample has begun and ended from now on."""
        with self._taken:
            wanted = self.count + 2
            self._taken.wait_for(lambda: self.count >= wanted, timeout=60)


class Lines:
    """Keeps and counts the lines of an output."""

    def __init__(self) -> None:
        self.changed = asyncio.Event()
        self.text = b""

    @property
    def count(self) -> int:
        """Return how many lines have come."""
        return self.text.count(b"\n")

    def feed(self, chunk: bytes) -> bool:
        self.text += chunk
        self.changed.set()
        return True

    async def wait_for(self, lines: int) -> None:
        async with asyncio.timeout(60):
            while self.count < lines:
                await self.changed.wait()
                self.changed.clear()


async def measured(body: str, ready: int, folder: Path) -> Exit:
    """Run a program until it is ready, sample it, and let it go on to its end."""
    file, go, samples = folder / "program.py", folder / "go", Samples()
    file.write_text(program(body, str(go)))
    sampler = MemorySampler(on_sample=samples, share_of_core=1.0)
    stdout = Lines()
    try:
        process = await ShellLauncher(memory=sampler).start(
            Command(f"{shlex.quote(sys.executable)} -S {shlex.quote(str(file))}; exit 0", os.environ),
            stdout=stdout,
            stderr=Lines(),
        )
        await stdout.wait_for(ready)
        await asyncio.to_thread(samples.wait_for_whole_one)
        go.touch()
        ended = await process.wait()
        await process.finish(linger=timedelta(seconds=10))
    finally:
        sampler.close()
    return ended


@pytest.fixture(scope="module")
def idle_bytes(tmp_path_factory: pytest.TempPathFactory) -> int:
    """Return what a program takes that does nothing, with its shell."""
    return run(measured(programs.IDLE, 1, tmp_path_factory.mktemp("idle"))).max_rss_bytes or 0


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_peak_is_that_of_all_processes(case: Case, tmp_path: Path, idle_bytes: int) -> None:
    """Within 10 %: what the script and all its processes had at once, shared memory once, files not at all."""
    ended = run(measured(case.body, case.ready, tmp_path))

    true_bytes = case.true_mib * MIB + case.processes * idle_bytes
    assert ended.max_rss_bytes == pytest.approx(true_bytes, rel=case.within)
    assert ended.measure is case.measure


@pytest.mark.parametrize("is_large", [True, False])
def test_a_script_that_ends_between_samples_has_the_peak_of_its_largest_process(*, is_large: bool) -> None:
    """That is what the kernel tells at the exit; of one smaller than the worker it tells only a bound."""
    more = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 + 20 * MIB
    script = f"{shlex.quote(sys.executable)} -S -c 'b = b\"x\" * {more}'; exit 0" if is_large else "true"

    async def quick() -> Exit:
        sampler = MemorySampler()
        launcher = ShellLauncher(memory=sampler)
        sampler.close()  # before its first sample
        process = await launcher.start(Command(script, os.environ), stdout=Lines(), stderr=Lines())
        ended = await process.wait()
        await process.finish(linger=timedelta(seconds=10))
        return ended

    ended = run(quick())

    assert ended.measure is Measure.PROCESS
    if is_large:
        assert (ended.max_rss_bytes or 0) > more
    else:
        assert ended.max_rss_bytes is None
        assert 0 < (ended.at_most_bytes or 0) < more


def test_a_fall_of_free_memory_that_may_fill_the_budget_is_reason_to_look_at_once() -> None:
    """A quarter of what was left; without a budget, or where the machine does not tell, there is no such reason."""
    free: list[int | None] = [10_000]
    sampler = MemorySampler(available=lambda: free[0])
    sampler.sample()
    free[0] = 0
    assert not sampler.is_filling()

    sampler.budget_bytes, free[0] = 4000, 10_000
    sampler.sample()
    filling = []
    for each in (9000, 8999, None):
        free[0] = each
        filling.append(sampler.is_filling())

    assert filling == [False, True, False]

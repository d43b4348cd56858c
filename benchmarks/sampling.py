"""What it costs to watch the memory of running scripts: `python -m benchmarks.sampling [--quick]`.

100 scripts of four processes each run, and nothing else happens in this process than what the sampler does in its
thread. In the second row ten more hold 100 MB each and share it with three children, which are read page by page.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager

from benchmarks.course import Course, run_alone
from benchmarks.report import Goal, Section, Table
from pyanamo_async.execution import MemorySampler

SCRIPTS, SHARING, MOST_SHARE = 100, 10, 0.01
WATCHED_S, QUICK_WATCHED_S, SETTLED_S = 60.0, 3.0, 3.0
PLAIN = ["/bin/sh", "-c", "sleep 600 & sleep 600 & sleep 600 & wait"]
SHARED = """
import os, time
held = bytearray(b"x") * (100 << 20)
for _ in range(3):
    if not os.fork():
        break
time.sleep(600)
"""


def measure(course: Course) -> Section:
    """Watch scripts for a minute, those that share memory among them or not."""
    watched_s = QUICK_WATCHED_S if course.quick else WATCHED_S
    rows, goals = [], []
    for name, sharing in (("four processes each", 0), ("the same, and ten that share memory", SHARING)):
        with running(sharing) as pids:
            share, samples = watch(pids, watched_s)
        rows.append((name, str(len(pids)), f"{samples / watched_s:.1f}", f"{share:.2%}"))
        goals.append(Goal.at_most(f"of a core, {name}", MOST_SHARE, share, "{:.2%}"))
    return Section(
        Table("Watching memory", ("scripts", "number", "samples a second", "of a core"), tuple(rows)), tuple(goals)
    )


def watch(pids: list[int], seconds: float) -> tuple[float, int]:
    """Return what share of a core it took to watch these scripts, once seen, and the number of samples."""
    taken = 0

    def count(_: Mapping[int, int]) -> None:
        nonlocal taken
        taken += 1

    with closing(MemorySampler(on_sample=count)) as sampler:
        for pid in pids:
            sampler.started(pid)
        time.sleep(SETTLED_S)
        before, began_s, used_s = taken, time.monotonic(), time.process_time()
        time.sleep(seconds)
        return (time.process_time() - used_s) / (time.monotonic() - began_s), taken - before


@contextmanager
def running(sharing: int) -> Iterator[list[int]]:
    """Run the scripts, each in a session of its own."""
    commands = [PLAIN] * SCRIPTS + [[sys.executable, "-I", "-S", "-c", SHARED]] * sharing
    scripts = [subprocess.Popen(command, start_new_session=True) for command in commands]
    try:
        yield [each.pid for each in scripts]
    finally:
        for each in scripts:
            os.killpg(each.pid, signal.SIGKILL)
            each.wait()


if __name__ == "__main__":
    run_alone(measure, __doc__)

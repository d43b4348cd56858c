"""A few large tasks among many small ones, packed by memory, against fixed numbers: `python -m benchmarks.packing`.

200 scripts hold memory for about a second each: 10 of them 2 GB, the others 50 MB, on a budget of 4 GB. A fixed number
knows no budget: it counts when it stayed within the budget, and only by luck where it could have taken more. What
scripts have is looked at from outside, ten times a second. With `--items` there are fewer of each kind.
"""

from __future__ import annotations

import random
import shlex
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import psutil

from benchmarks.course import Course, run_alone
from benchmarks.processes import Failed
from benchmarks.report import Goal, Section, Table
from benchmarks.rounds import Lap, interleaved, median
from harness.program import Program

MIB = 1 << 20
TASKS, LARGE_EVERY = 200, 20
LOOK_S = 0.1
OVER = 1.05  # of the budget
MARK = "held = bytearray"
UNLIMITED = "1000G"
QUICK = 40


@dataclass(frozen=True, slots=True)
class Load:
    """Scripts of two sizes, and the budget for them, in MiB; they hold it between `shortest_s` and three times that."""

    tasks: int = TASKS
    small: int = 50
    large: int = 2048
    budget: int = 4096
    shortest_s: float = 0.5

    def rows(self, *, declared: bool) -> Iterator[str]:
        """Yield the rows of a task file, large ones scattered."""
        rng = random.Random(1)
        sizes = [self.large if number % LARGE_EVERY == 0 else self.small for number in range(self.tasks)]
        rng.shuffle(sizes)
        for number, size in enumerate(sizes):
            own = size - min(20, size // 5)  # beside what the interpreter takes
            seconds = self.shortest_s * rng.uniform(1, 3)
            body = f"{MARK}(b'x') * ({own} << 20); import time; time.sleep({seconds:.2f})"
            memory = f"{size}M" if declared else ""
            yield f"i{number:03}|s|{memory}|exec {shlex.quote(sys.executable)} -I -S -c {shlex.quote(body)}"


@dataclass
class Worker:
    """A worker with these flags; it knows how much its scripts had together, and how often one was ended for it."""

    name: str
    course: Course
    load: Load
    flags: Sequence[str]
    declared: bool = True
    most_bytes: int = 0
    interruptions: int = 0

    def lap(self) -> Lap:
        """Run the load, and look on."""
        with self.course.folder() as folder:
            program = self.course.on_sqlite(folder)
            program.import_rows(*self.load.rows(declared=self.declared), header="itemID|TaskID|Memory|TaskScript")
            began = time.monotonic()
            process = program.start("run", "--quiet", *self.flags, stderr=subprocess.DEVNULL)
            while process.poll() is None:
                self.most_bytes = max(self.most_bytes, used_bytes(process.pid))
                time.sleep(LOOK_S)
            seconds = time.monotonic() - began
            self._check(program)
        return Lap(self.load.tasks, seconds)

    @property
    def exceeds(self) -> bool:
        """Return whether its scripts ever had more than the budget allows."""
        return self.most_bytes > OVER * self.load.budget * MIB

    def _check(self, program: Program) -> None:
        rows = program.rows().values()
        if any(row["ItemState"] != "done" or "OOM_Kills" in row for row in rows):
            raise Failed(f"{self.name}: not every task was done, or the kernel ended one")
        self.interruptions += sum(row.get("Interruptions", 0) for row in rows)


def used_bytes(worker: int) -> int:
    """Return what the scripts of a worker have in memory, without pages of files."""
    total = 0
    for each in psutil.Process(worker).children(recursive=True):
        try:
            if any(MARK in argument for argument in each.cmdline()):
                used = each.memory_info()
                total += used.rss - used.shared
        except psutil.Error:  # it has ended
            continue
    return total


def contenders(course: Course, load: Load, fixed: Sequence[int], most: int) -> list[Worker]:
    """Return workers with a budget, by columns and without, and with fixed numbers."""
    budget = f"{load.budget}M"
    return [
        Worker(f"packed, -i {most}", course, load, ("-i", str(most), "--memory", budget)),
        Worker(f"learning, -i {most}", course, load, ("-i", str(most), "--memory", budget), declared=False),
        *(
            Worker(f"fixed, -i {each}", course, load, ("-i", str(each), "--memory", UNLIMITED), declared=False)
            for each in fixed
        ),
    ]


def measure(course: Course) -> Section:
    """Let them take turns."""
    load = Load(tasks=min(course.items, TASKS))
    workers = [each for each in contenders(course, load, (2, 4, 8, 16, 32), 40) if course.takes(each.name)]
    laps = interleaved(workers, course.rounds, lambda each: each.lap())
    took = {each.name: median(laps[each.name], lambda lap: lap.seconds) for each in workers}
    fixed = {each.name: took[each.name] for each in workers if each.name.startswith("fixed") and not each.exceeds}
    best = min(fixed, key=lambda name: fixed[name])

    def against_best(name: str) -> float:
        ratios = zip(laps[name], laps[best], strict=True)
        return sorted(mine.seconds / its.seconds for mine, its in ratios)[course.rounds // 2]

    def row(each: Worker) -> tuple[str, ...]:
        used = each.most_bytes / (load.budget * MIB)
        return each.name, f"{took[each.name]:.1f}", f"{used:.0%}", str(each.interruptions), "no" if each.exceeds else ""

    packed, learning = workers[:2]
    goals = (
        Goal.at_most("time of packed, of the best fixed number", 1.15, against_best(packed.name)),
        Goal.at_most("most memory of packed, of the budget", OVER, packed.most_bytes / (load.budget * MIB)),
        Goal.at_most("tasks ended for memory, packed", 0, packed.interruptions, "{:.0f}"),
        Goal.at_most("time of learning, of the best fixed number", 1.15, against_best(learning.name)),
        Goal.at_most("most memory of learning, of the budget", OVER, learning.most_bytes / (load.budget * MIB)),
    )
    title = f"{load.tasks} scripts on {load.budget} MB; the best fixed number is {best.removeprefix('fixed, ')}"
    columns = ("", "seconds", "most memory, of the budget", "ended for memory, all rounds", "fits")
    return Section(Table(title, columns, tuple(map(row, workers))), goals)


if __name__ == "__main__":
    run_alone(measure, __doc__, TASKS)

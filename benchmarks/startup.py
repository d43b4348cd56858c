"""What is done at once, and what a worker weighs that has nothing to do: `python -m benchmarks.startup [--quick]`."""

from __future__ import annotations

import json
import statistics
import subprocess
import time

from benchmarks.course import Course, run_alone
from benchmarks.processes import measured, rss_bytes_of
from benchmarks.report import Goal, Section, Table
from harness.program import Program, until

COMMANDS = {"--help": ("--help",), "status": ("status",), "list": ("list",)}
AT_ONCE_S = 0.3
MOST_IDLE_MB = 70.0
FEW = 3
"""Items of the table; `status` counts them."""
RUNS, QUICK_RUNS = 15, 2
IDLE_S = 3.0
MB = 1e6


def measure(course: Course) -> Section:
    """Run each command some times, by turns, and look at a worker that waits."""
    with course.folder() as folder:
        program = course.on_sqlite(folder)
        program.import_rows(*(f"i{number}|s|true" for number in range(FEW)))
        took: dict[str, list[float]] = {name: [] for name in COMMANDS}
        for _ in range(QUICK_RUNS if course.quick else RUNS):
            for name, words in COMMANDS.items():
                took[name].append(measured(program.command(*words), cwd=folder, env=program.env).seconds)
    with course.folder() as folder:
        program = course.on_sqlite(folder)
        program("table", "create")
        idle_mb = {"SQLite": idle_bytes(program) / MB}
    with course.folder() as folder:
        program = course.on_dynamodb(folder)
        program("table", "create")
        idle_mb["DynamoDB Local"] = idle_bytes(program) / MB
        program("table", "delete", "--yes")
    medians = {name: statistics.median(seconds) for name, seconds in took.items()}
    rows = [(f"pyanamo {name}", f"{median:.2f} s", f"{max(took[name]):.2f} s") for name, median in medians.items()]
    rows += [(f"pyanamo run --wait, idle on {name}", f"{peak:.0f} MB", "") for name, peak in idle_mb.items()]
    goals = [Goal.at_most(f"pyanamo {name}, s", AT_ONCE_S, medians[name]) for name in ("--help", "status")]
    goals += [Goal.at_most(f"idle worker on {name}, MB", MOST_IDLE_MB, mb, "{:.0f}") for name, mb in idle_mb.items()]
    return Section(Table("At once, and idle", ("", "median", "most"), tuple(rows)), tuple(goals))


def idle_bytes(program: Program) -> int:
    """Tell what a worker weighs when it has waited for a while on a table without items to claim."""
    command = program.command("run", "--wait")
    worker = subprocess.Popen(
        command, cwd=program.folder, env=program.env, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        until(lambda: bool(json.loads(program("workers", "--json"))))
        time.sleep(IDLE_S)
        return rss_bytes_of(worker.pid)
    finally:
        worker.terminate()
        worker.wait()


if __name__ == "__main__":
    run_alone(measure, __doc__)

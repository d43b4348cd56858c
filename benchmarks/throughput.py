"""How many scripts that do nothing per second, 8 at a time: `python -m benchmarks.throughput [--quick]`.

Each contender runs the same number of `true`. First all of them prove, with scripts that bear witness, that they run
every one; then they take turns. "per second" is the whole run of the process from start to exit, its own start-up
included; what a run of a single script takes stands beside it, and "then" is the rate without that.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence

from benchmarks.contenders import OnTable, Xargs, floor, prove, pyanamo
from benchmarks.course import Course, run_alone
from benchmarks.report import Goal, Section, Table
from benchmarks.rounds import Contender, Lap, faster, interleaved, median

SCRIPT = "true"
STARTS = 3
WITNESSES = 40
MB = 1e6

SQLITE, SQLITE_SH, SQLITE_FLOOR = "pyanamo, SQLite", "pyanamo --shell sh, SQLite", "bare loop, SQLite"
DYNAMODB, DYNAMODB_FLOOR = "pyanamo, DynamoDB Local", "bare loop, DynamoDB Local"


def contenders(course: Course) -> list[Contender]:
    """Line up all who take part."""
    return [
        Xargs(course),
        Xargs(course, "bash"),
        OnTable(SQLITE_FLOOR, course, course.on_sqlite, floor),
        OnTable(SQLITE, course, course.on_sqlite, pyanamo()),
        OnTable(SQLITE_SH, course, course.on_sqlite, pyanamo("--shell", "sh")),
        OnTable(DYNAMODB_FLOOR, course, course.on_dynamodb, floor),
        OnTable(DYNAMODB, course, course.on_dynamodb, pyanamo()),
    ]


def measure(course: Course) -> Section:
    """Let all of them run."""
    lined_up = contenders(course)
    prove(lined_up, course, WITNESSES)
    starts = interleaved(lined_up, STARTS, lambda each: each.lap(SCRIPT, 1))
    laps = interleaved(lined_up, course.rounds, lambda each: each.lap(SCRIPT, course.items))
    first = laps[lined_up[0].name]
    rows = tuple(row(each.name, laps[each.name], starts[each.name], first) for each in lined_up)
    columns = (
        "",
        "per second",
        "of xargs",
        "start, s",
        "then per second",
        "CPU, ms each",
        "CPU of start, s",
        "RSS, MB",
    )
    title = f"{course.items} x `{SCRIPT}`, {course.slots} at a time, medians of {course.rounds} interleaved rounds"
    return Section(Table(title, columns, rows), tuple(goals(laps, starts)))


def row(name: str, laps: Sequence[Lap], starts: Sequence[Lap], xargs: Sequence[Lap]) -> tuple[str, ...]:
    """Sum up what one contender did."""
    start_s = statistics.median(lap.seconds for lap in starts)
    start_cpu_s = statistics.median(lap.cpu_seconds for lap in starts)
    return (
        name,
        f"{median(laps, lambda lap: lap.rate):.0f}",
        f"{faster(laps, xargs):.2f}",
        f"{start_s:.2f}",
        f"{median(laps, lambda lap: (lap.scripts - 1) / (lap.seconds - start_s)):.0f}",
        f"{1000 * cpu_each(laps, starts):.2f}",
        f"{start_cpu_s:.2f}",
        f"{median(laps, lambda lap: lap.peak_rss_bytes) / MB:.0f}",
    )


def cpu_each(laps: Sequence[Lap], starts: Sequence[Lap]) -> float:
    """Tell the CPU seconds that one script more costs the worker, its start-up not counted."""
    start_s = statistics.median(lap.cpu_seconds for lap in starts)
    return median(laps, lambda lap: (lap.cpu_seconds - start_s) / (lap.scripts - 1))


def goals(laps: dict[str, list[Lap]], starts: dict[str, list[Lap]]) -> list[Goal]:
    """Hold the figures against what is to be reached."""
    xargs = next(iter(laps.values()))
    return [
        Goal.at_least("SQLite: speed of xargs", 0.6, faster(laps[SQLITE], xargs)),
        Goal.at_least("SQLite, --shell sh: speed of xargs", 0.7, faster(laps[SQLITE_SH], xargs)),
        Goal.at_most("SQLite: worker's CPU per item, ms", 0.9, 1000 * cpu_each(laps[SQLITE], starts[SQLITE])),
        Goal.at_least("DynamoDB Local: speed of its bare loop", 0.8, faster(laps[DYNAMODB], laps[DYNAMODB_FLOOR])),
        Goal.at_most(
            "DynamoDB Local: worker's CPU per item, ms", 1.5, 1000 * cpu_each(laps[DYNAMODB], starts[DYNAMODB])
        ),
    ]


if __name__ == "__main__":
    run_alone(measure, __doc__)

"""How many scripts that do nothing per second, 8 at a time: `python -m benchmarks.throughput [--quick]`.

First all contenders prove, with scripts that bear witness, that they run every one; then they take turns at `true`.
"per second" is the whole run of the process from start to exit, its own start-up included; what a run of a single
script takes stands beside it, and "then" is the rate without that. CPU is the worker's own, without its scripts. A
plain command like this one pyanamo (and its floor) starts without a shell; with `--shell` it is to be compared with
xargs and that shell.
"""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks.contenders import OnTable, Xargs, floor, prove, pyanamo
from benchmarks.course import Course, run_alone
from benchmarks.peers.rivals import rivals
from benchmarks.report import Goal, Section, Table
from benchmarks.rounds import Contender, Lap, faster, interleaved, median

SCRIPT = "true"
STARTS = 2
WITNESSES = 40
FEWER = 5  # times as few scripts for other tools, which take minutes otherwise
MB = 1e6
UNKNOWN = ""

SQLITE, SQLITE_SH, SQLITE_BASH = "pyanamo, SQLite", "pyanamo --shell sh, SQLite", "pyanamo --shell bash, SQLite"
SQLITE_FLOOR = "bare loop, SQLite"
DYNAMODB, DYNAMODB_FLOOR = "pyanamo, DynamoDB Local", "bare loop, DynamoDB Local"
JOBLOG = "--joblog"
MOST_CPU_MS = {SQLITE: 0.9, DYNAMODB: 1.5}

Laps = dict[str, list[Lap]]


def ours(course: Course) -> list[Contender]:
    """Line up pyanamo and what it is measured by; xargs first."""
    return [
        Xargs(course),
        Xargs(course, "bash"),
        OnTable(SQLITE_FLOOR, course, course.on_sqlite, floor),
        OnTable(SQLITE, course, course.on_sqlite, pyanamo()),
        OnTable(SQLITE_SH, course, course.on_sqlite, pyanamo("--shell", "sh")),
        OnTable(SQLITE_BASH, course, course.on_sqlite, pyanamo("--shell", "bash")),
        OnTable(DYNAMODB_FLOOR, course, course.on_dynamodb, floor),
        OnTable(DYNAMODB, course, course.on_dynamodb, pyanamo()),
    ]


def measure(course: Course) -> Section:
    """Let all of them run."""
    own = ours(course)
    others, missing = rivals(course)
    everybody = own[:1] + [each for each in own[1:] + others if course.takes(each.name)]
    scripts = {each.name: course.items for each in own} | {each.name: course.items // FEWER for each in others}
    prove(everybody, course, WITNESSES)
    starts = interleaved(everybody, 1 if course.quick else STARTS, lambda each: each.lap(SCRIPT, 1))
    laps = interleaved(everybody, course.rounds, lambda each: each.lap(SCRIPT, scripts[each.name]))
    columns = (
        "",
        "per second",
        "start, s",
        "then per second",
        "of xargs",
        "CPU, ms each",
        "CPU of start, s",
        "RSS, MB",
    )
    title = f"{course.items} x `{SCRIPT}`, {course.slots} at a time, medians of {course.rounds} interleaved rounds"
    rows = tuple(row(each.name, laps, starts, xargs=own[0].name) for each in everybody)
    return Section(Table(title, columns, rows, tuple(missing)), tuple(goals(laps, starts, xargs=own[0].name)))


def row(name: str, laps: Laps, starts: Laps, *, xargs: str) -> tuple[str, ...]:
    """Sum up what one contender did."""
    mine = laps[name]
    is_told = mine[0].peak_rss_bytes > 0
    return (
        name,
        f"{median(mine, lambda lap: lap.rate):.0f}",
        f"{median(starts[name], lambda lap: lap.seconds):.2f}",
        f"{median(all_started(mine, starts[name]), lambda lap: lap.rate):.0f}",
        f"{faster(mine, laps[xargs]):.2f}",
        f"{1000 * cpu_each(mine, starts[name]):.2f}" if is_told else UNKNOWN,
        f"{median(starts[name], lambda lap: lap.cpu_seconds):.2f}" if is_told else UNKNOWN,
        f"{median(mine, lambda lap: lap.peak_rss_bytes) / MB:.0f}" if is_told else UNKNOWN,
    )


def all_started(laps: Sequence[Lap], starts: Sequence[Lap]) -> list[Lap]:
    """Take off what a run of a single script takes."""
    start_s = median(starts, lambda lap: lap.seconds)
    return [Lap(lap.scripts - 1, max(lap.seconds - start_s, 1e-3)) for lap in laps]


def cpu_each(laps: Sequence[Lap], starts: Sequence[Lap]) -> float:
    """Tell the CPU seconds that one script more costs the worker, its start-up not counted."""
    start_s = median(starts, lambda lap: lap.cpu_seconds)
    return median(laps, lambda lap: (lap.cpu_seconds - start_s) / (lap.scripts - 1))


def goals(laps: Laps, starts: Laps, *, xargs: str) -> list[Goal]:
    """Hold the figures against what is to be reached; other tools are spared their start-up, pyanamo is not."""
    races = [
        (SQLITE, xargs, 0.6),
        (SQLITE_SH, xargs, 0.7),
        (DYNAMODB, DYNAMODB_FLOOR, 0.8),
        *((SQLITE, other, 4.0 if JOBLOG in other else 1.5) for other in laps if is_other(other)),
        *((DYNAMODB, other, 1.0) for other in laps if is_other(other)),
    ]
    spared = {name: all_started(laps[name], starts[name]) if is_other(name) else laps[name] for name in laps}
    return [
        *(
            Goal.at_least(f"{mine}: speed of {than}", asked, faster(laps[mine], spared[than]))
            for mine, than, asked in races
            if mine in laps and than in laps
        ),
        *(
            Goal.at_most(f"{name}: worker's CPU per item, ms", most_ms, 1000 * cpu_each(laps[name], starts[name]))
            for name, most_ms in MOST_CPU_MS.items()
            if name in laps
        ),
    ]


def is_other(name: str) -> bool:
    """Tell whether it is another tool, not pyanamo and not a floor."""
    return not name.startswith(("xargs", "pyanamo", "bare"))


if __name__ == "__main__":
    run_alone(measure, __doc__)

"""How many scripts that do nothing per second, 8 at a time: `python -m benchmarks.throughput [--quick]`.

First all contenders prove, with scripts that leave a line behind, that they run every script; then they take turns at
`true`. "per second" is the whole run of the process from start to exit, its own start-up included; "start" is a run of
a single script, and "then" the rate without it. CPU is the worker's own, without its scripts. Like is compared with
like: pyanamo starts every script through bash, as one xargs does here; with `--shell sh` it is compared with the other
xargs, and with GNU parallel, HyperShell and HyperQueue, which start sh.
"""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks.contenders import OnTable, Xargs, before, floor, prove, pyanamo
from benchmarks.course import Course, run_alone
from benchmarks.peers.rivals import rivals
from benchmarks.report import Goal, Section, Table
from benchmarks.rounds import Contender, Lap, faster, interleaved, median

SCRIPT = "true"
STARTS = 2
WITNESSES = 40
FEWER = 5  # other tools run a fifth of the scripts, or they would take minutes
MB = 1e6
UNKNOWN = ""

SQLITE, SQLITE_SH = "pyanamo, SQLite", "pyanamo --shell sh, SQLite"
SQLITE_FLOOR = "bare loop, SQLite"
DYNAMODB, DYNAMODB_FLOOR = "pyanamo, DynamoDB Local", "bare loop, DynamoDB Local"
SQLITE_BEFORE, DYNAMODB_BEFORE = "pyanamo before, SQLite", "pyanamo before, DynamoDB Local"
LEAST_OF_BEFORE = 0.9
MOST_CPU_OF_BEFORE = {SQLITE: (SQLITE_BEFORE, 1.15), DYNAMODB: (DYNAMODB_BEFORE, 1.5)}
TIMES_OTHERS = {"--joblog": 3.0, "HyperQueue": 1.5, "HyperShell -N8, SQLite": 2.0}

Laps = dict[str, list[Lap]]


def ours(course: Course) -> list[Contender]:
    """List pyanamo and what it is measured by; xargs first."""
    return [
        Xargs(course, "bash"),
        Xargs(course, "sh"),
        OnTable(SQLITE_FLOOR, course, course.on_sqlite, floor),
        OnTable(SQLITE, course, course.on_sqlite, pyanamo()),
        OnTable(SQLITE_SH, course, course.on_sqlite, pyanamo("--shell", "sh")),
        OnTable(DYNAMODB_FLOOR, course, course.on_dynamodb, floor),
        OnTable(DYNAMODB, course, course.on_dynamodb, pyanamo()),
        *before(course, (SQLITE_BEFORE, DYNAMODB_BEFORE)),
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
    return Section(Table(title, columns, rows, tuple(missing)), tuple(goals(laps, starts)))


def row(name: str, laps: Laps, starts: Laps, *, xargs: str) -> tuple[str, ...]:
    """Sum up what one contender did."""
    mine = laps[name]
    is_known = mine[0].peak_rss_bytes > 0
    return (
        name,
        f"{median(mine, lambda lap: lap.rate):.0f}",
        f"{median(starts[name], lambda lap: lap.seconds):.2f}",
        f"{median(all_started(mine, starts[name]), lambda lap: lap.rate):.0f}",
        f"{faster(mine, laps[xargs]):.2f}",
        f"{1000 * cpu_each(mine, starts[name]):.2f}" if is_known else UNKNOWN,
        f"{median(starts[name], lambda lap: lap.cpu_seconds):.2f}" if is_known else UNKNOWN,
        f"{median(mine, lambda lap: lap.peak_rss_bytes) / MB:.0f}" if is_known else UNKNOWN,
    )


def all_started(laps: Sequence[Lap], starts: Sequence[Lap]) -> list[Lap]:
    """Subtract the time that a run of a single script takes."""
    start_s = median(starts, lambda lap: lap.seconds)
    return [Lap(lap.scripts - 1, max(lap.seconds - start_s, 1e-3)) for lap in laps]


def cpu_each(laps: Sequence[Lap], starts: Sequence[Lap]) -> float:
    """Return the CPU seconds that one more script costs the worker, its start-up left out."""
    start_s = median(starts, lambda lap: lap.cpu_seconds)
    return median(laps, lambda lap: (lap.cpu_seconds - start_s) / (lap.scripts - 1))


def goals(laps: Laps, starts: Laps) -> list[Goal]:
    """Compare the figures with the budget; other tools are spared their start-up, pyanamo is not."""
    races = [
        (SQLITE, SQLITE_BEFORE, LEAST_OF_BEFORE),
        (DYNAMODB, DYNAMODB_BEFORE, LEAST_OF_BEFORE),
        *((SQLITE_SH, other, times) for word, times in TIMES_OTHERS.items() for other in laps if word in other),
    ]
    spared = {name: all_started(laps[name], starts[name]) if is_other(name) else laps[name] for name in laps}
    return [
        *(
            Goal.at_least(f"{mine}: times the speed of {than}", asked, faster(laps[mine], spared[than]))
            for mine, than, asked in races
            if mine in laps and than in laps
        ),
        *(
            Goal.at_most(f"{name}: worker's CPU per item, of {than}", most, cpu_ratio(laps, starts, name, than))
            for name, (than, most) in MOST_CPU_OF_BEFORE.items()
            if name in laps and than in laps
        ),
    ]


def cpu_ratio(laps: Laps, starts: Laps, name: str, than: str) -> float:
    """Return how many times the CPU of another contender a script costs."""
    return cpu_each(laps[name], starts[name]) / max(cpu_each(laps[than], starts[than]), 1e-9)


def is_other(name: str) -> bool:
    """Return whether it is another tool, neither pyanamo nor a floor."""
    return not name.startswith(("xargs", "pyanamo", "bare"))


if __name__ == "__main__":
    run_alone(measure, __doc__)

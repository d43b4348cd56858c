"""What is lost against the ideal when tasks take a moment: `python -m benchmarks.makespan [--quick]`.

2,000 tasks of 100 ms, 8 at a time, would take 25 s if nothing cost anything. "overhead" is the whole run of the process
against that, its own start-up included. `sleep` itself takes longer than it says: what xargs has is its share.
"""

from __future__ import annotations

from benchmarks.contenders import OnTable, Xargs, prove, pyanamo
from benchmarks.course import Course, run_alone
from benchmarks.report import Goal, Section, Table
from benchmarks.rounds import Contender, Lap, interleaved, median

TASK_S = 0.1
TASKS, QUICK_TASKS = 2000, 40
SQLITE, DYNAMODB = "pyanamo, SQLite", "pyanamo, DynamoDB Local"
MOST_OVERHEAD = {SQLITE: 0.05, DYNAMODB: 0.12}


def measure(course: Course) -> Section:
    """Let all of them run."""
    tasks = QUICK_TASKS if course.quick else TASKS
    ideal_s = tasks * TASK_S / course.slots
    contenders: list[Contender] = [
        Xargs(course),
        OnTable(SQLITE, course, course.on_sqlite, pyanamo()),
        OnTable(DYNAMODB, course, course.on_dynamodb, pyanamo()),
    ]
    prove(contenders, course, course.slots)
    starts = interleaved(contenders, 1, lambda each: each.lap("true", 1))
    laps = interleaved(contenders, course.rounds, lambda each: each.lap(f"sleep {TASK_S:g}", tasks))

    def overhead(name: str, less_s: float = 0.0) -> float:
        return median(laps[name], lambda lap: (lap.seconds - less_s) / ideal_s - 1)

    def row(each: Contender) -> tuple[str, ...]:
        [start] = starts[each.name]
        whole, then = overhead(each.name), overhead(each.name, start.seconds)
        return each.name, f"{seconds(laps[each.name]):.2f}", f"{whole:.1%}", f"{start.seconds:.2f}", f"{then:.1%}"

    title = f"{tasks} x `sleep {TASK_S:g}`, {course.slots} at a time: ideally {ideal_s:g} s"
    columns = ("", "seconds", "overhead", "start, s", "overhead without start")
    goals = [Goal.at_most(f"overhead, {name}", most, overhead(name), "{:.1%}") for name, most in MOST_OVERHEAD.items()]
    return Section(Table(title, columns, tuple(map(row, contenders))), tuple(goals))


def seconds(laps: list[Lap]) -> float:
    """Tell how long it took."""
    return median(laps, lambda lap: lap.seconds)


if __name__ == "__main__":
    run_alone(measure, __doc__)

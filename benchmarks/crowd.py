"""A thousand scripts at once, and claiming beside a hundred thousand items that are done: `python -m benchmarks.crowd`.

How many ran at once is told by the table itself: each record has the times between which its script ran. The makespan
is the whole run of the process; nobody could be faster than one script.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import statistics
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path

from benchmarks.contenders import OnTable, pyanamo
from benchmarks.course import Course, run_alone
from benchmarks.processes import Failed, measured
from benchmarks.report import Goal, Section, Table
from benchmarks.rounds import Lap, faster, interleaved, median
from harness.program import Program

MANY, QUICK_MANY = 1000, 50
SLEEP_S, QUICK_SLEEP_S = 5, 1
MOST_SECONDS, MOST_RSS_MB = 8.0, 160.0
DONE, QUICK_DONE = 100_000, 200
BESIDE = 2000
"""Items that are claimed beside those that are done."""
AS_FAST = 0.95
MB = 1e6
LIKE_THE_FIRST = """UPDATE items SET (ItemState, Queue_Key, InstanceID, lockID, Attempt, Row) = (
    SELECT first.ItemState, first.Queue_Key, first.InstanceID, first.lockID, first.Attempt,
    json_set(first.Row, '$.itemID', items.itemID) FROM items AS first WHERE first.itemID = 'first')"""
EMPTY, FULL = "no others in the table", "beside many that are done"


def measure(course: Course) -> Section:
    """Measure both."""
    many, sleep_s = (QUICK_MANY, QUICK_SLEEP_S) if course.quick else (MANY, SLEEP_S)
    crowds = [crowd(course, many, sleep_s) for _ in range(course.rounds)]
    beside, laps = claiming(course)
    at_once = min(number for _, number in crowds)
    seconds, rss = (
        statistics.median(lap.seconds for lap, _ in crowds),
        max(lap.peak_rss_bytes for lap, _ in crowds) / MB,
    )
    ratio = faster(laps[FULL], laps[EMPTY])
    rows = (
        (f"{many} x `sleep {sleep_s}` at `-i {many}`: at once", f"{at_once}"),
        ("... seconds from start to exit", f"{seconds:.2f}"),
        ("... peak RSS of the worker, MB", f"{rss:.0f}"),
        *(
            (f"{beside} x `true`, {name}: per second", f"{median(laps[name], lambda lap: lap.rate):.0f}")
            for name in laps
        ),
    )
    goals = (
        Goal.at_least("scripts at once", many, at_once, "{:.0f}"),
        Goal.at_most("seconds for all of them", sleep_s + MOST_SECONDS - SLEEP_S, seconds),
        Goal.at_most("RSS of the worker, MB", MOST_RSS_MB, rss, "{:.0f}"),
        Goal.at_least("speed beside 100,000 done items", AS_FAST, ratio),
    )
    return Section(Table("A crowd, on SQLite", ("", "median"), rows), goals)


def crowd(course: Course, many: int, sleep_s: int) -> tuple[Lap, int]:
    """Run many scripts at once; returns what it took, and how many ran at the same time."""
    with course.folder() as folder:
        program = course.on_sqlite(folder)
        program.import_rows(*(f"i{number}|s|sleep {sleep_s}" for number in range(many)))
        used = measured(program.command("run", "-i", str(many)), cwd=folder, env=program.env)
        records = [row["Log"] for row in program.rows().values() if row["ItemState"] == "done"]
    if len(records) != many:
        raise Failed(f"{len(records)} of {many} items are done")
    return Lap(many, used.seconds, used.cpu_seconds, used.peak_rss_bytes), most_at_once(
        (record["Started"], record["Finished"]) for record in records
    )


def most_at_once(spans: Iterable[tuple[str, str]]) -> int:
    """Tell how many spans overlapped at most."""
    moments = sorted(moment for began, ended in spans for moment in ((began, 1), (ended, -1)))
    most = now = 0
    for _, change in moments:
        now += change
        most = max(most, now)
    return most


def claiming(course: Course) -> tuple[int, dict[str, list[Lap]]]:
    """Run some items in a table that has no others, and in one where many are done."""
    done, beside = (QUICK_DONE, QUICK_MANY) if course.quick else (DONE, BESIDE)
    with course.folder() as elsewhere:
        full = elsewhere / "full.db"
        make_full(course, full, done)

        def beside_full(folder: Path) -> Program:
            program = course.on_sqlite(folder)
            copied = shutil.copy(full, program.sqlite_file())
            with Path(copied).open("rb") as file:
                os.fsync(file.fileno())  # or the worker's first checkpoint waits for what the copy has left to write
            return program

        lined_up = [
            OnTable(EMPTY, course, course.on_sqlite, pyanamo()),
            OnTable(FULL, course, beside_full, pyanamo(), already_done=done),
        ]
        return beside, interleaved(lined_up, course.rounds, lambda each: each.lap("true", beside))


def make_full(course: Course, full: Path, done: int) -> None:
    """Make a table of items that are done: one of them truly, the others in its likeness."""
    with course.folder() as folder:
        program = course.on_sqlite(folder)
        program.import_rows("first|s|true")
        program("run")
        program.import_rows(*(f"done{number}|s|true" for number in range(done - 1)))
        with closing(sqlite3.connect(program.sqlite_file())) as table, table:
            table.execute(LIKE_THE_FIRST)
        shutil.move(program.sqlite_file(), full)


if __name__ == "__main__":
    run_alone(measure, __doc__)

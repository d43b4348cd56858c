"""How long 100,000 items take to import: `python -m benchmarks.importing [--items N] [--rounds N]`.

`pyanamo import` as a person types it, its start-up and the check of the whole file included, on SQLite and on DynamoDB
Local; beside the latter boto3's `batch_writer`, in a process of its own too, with the same rows and the same index.
batch_writer checks nothing and overwrites what it finds; an import never does: it could be an item that runs.

DynamoDB Local shares the cores with its clients, and a conditional write in a batch is expensive there: its own CPU
time for each item stands beside the client's. A table of AWS takes no CPU of ours, but a round trip: the same once more
with the server 10 ms away.

Measured on 2026-11-23 with 20,000 items, 3 rounds, on two cores that others used too: SQLite 0.94 s at 36 us of CPU
each; DynamoDB Local 2,000 a second against 2,600 of batch_writer, 0.77 of it. Of CPU an item costs the client 133 us
and the server 430, batch_writer 172 and 186: two cores perfectly shared would make that 1.27, and not 1.5. The server
reads the table's description for every row and parses every statement. A plain put is cheap there, and unsafe.
"""

from __future__ import annotations

import statistics
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import psutil

from benchmarks.course import Course, run_alone
from benchmarks.distance import farther
from benchmarks.processes import Failed, measured, own_cpu_seconds
from benchmarks.report import Goal, Section, Table
from benchmarks.rounds import Lap, faster, interleaved, median
from harness.program import ROOT, Program

ITEMS, WITHIN_S = 100_000, 4.0  # issue 5
WARM = 5_000  # items for the server's compiler, before the first round
SQLITE, DYNAMODB, BATCH_WRITER = "pyanamo, SQLite", "pyanamo, DynamoDB Local", "batch_writer, DynamoDB Local"
ONE_WAY_S = 0.005
FAR = f" +{2000 * ONE_WAY_S:.0f} ms"
SCRIPT = "bash call.sh"
US, MB = 1e6, 1e6


@dataclass(frozen=True, slots=True)
class Import:
    """One way to fill a table; `served_s` is what its server took, lap by lap."""

    name: str
    course: Course
    set_up: Callable[[Path], Program]
    command: Callable[[Program, Path], list[str]]
    served_s: list[float] = field(default_factory=list)

    def lap(self, script: str, scripts: int) -> Lap:
        """Import so many items; the table must say that all of them are there."""
        with self.course.folder() as folder, self._table(folder) as program:
            file = write_items(folder, script, scripts)
            before_s = served_s(self.course)
            used = measured(self.command(program, file), cwd=folder, env=program.env)
            self.served_s.append(served_s(self.course) - before_s)
            there = program.status()["total"]
        if there != scripts:
            raise Failed(f"{self.name}: {there} of {scripts} items are there")
        return Lap(scripts, used.seconds, used.cpu_seconds, used.peak_rss_bytes)

    @contextmanager
    def _table(self, folder: Path) -> Iterator[Program]:
        program = self.set_up(folder)
        program("table", "create")
        yield program
        program("table", "delete", "--yes")


def write_items(folder: Path, script: str, items: int) -> Path:
    """Write a task file: samples with ten items each."""
    file = folder / "items.txt"
    rows = (f"s{n // 10:05}-chr{n % 10}|s{n // 10:05}|{script} s{n // 10:05} chr{n % 10}\n" for n in range(items))
    file.write_text("itemID|TaskID|TaskScript\n" + "".join(rows))
    return file


def served_s(course: Course) -> float:
    """Tell the CPU time of DynamoDB Local so far."""
    port = course.servers.dynamodb().rpartition(":")[2]
    servers = (each for each in psutil.process_iter(["name", "cmdline"]) if each.info["name"] == "java")
    return sum(own_cpu_seconds(each.pid) for each in servers if port in each.info["cmdline"])


def pyanamo(program: Program, file: Path) -> list[str]:
    """Import as people do."""
    return program.command("import", file)


def batch_writer(program: Program, file: Path) -> list[str]:
    """Run the script of boto3's docs."""
    return [sys.executable, str(ROOT / "benchmarks" / "batch_writer.py"), str(file), program.table]


@contextmanager
def contenders(course: Course) -> Iterator[list[Import]]:
    """Line up all ways to import."""
    with farther(course.servers.dynamodb(), ONE_WAY_S) as address:

        def far(folder: Path) -> Program:
            near = course.on_dynamodb(folder)
            return replace(near, env={**near.env, "AWS_ENDPOINT_URL_DYNAMODB": address})

        everybody = [
            Import(SQLITE, course, course.on_sqlite, pyanamo),
            Import(DYNAMODB, course, course.on_dynamodb, pyanamo),
            Import(BATCH_WRITER, course, course.on_dynamodb, batch_writer),
            Import(DYNAMODB + FAR, course, far, pyanamo),
            Import(BATCH_WRITER + FAR, course, far, batch_writer),
        ]
        yield [each for each in everybody if course.takes(each.name)]


def measure(course: Course) -> Section:
    """Let all of them import."""
    with contenders(course) as lined_up:
        for each in lined_up:
            each.lap(SCRIPT, min(WARM, course.items))
            each.served_s.clear()
        laps = interleaved(lined_up, course.rounds, lambda each: each.lap(SCRIPT, course.items))
    columns = ("", "seconds", "per second", "client's CPU, us each", "server's CPU, us each", "RSS, MB")
    title = f"{course.items} items imported, medians of {course.rounds} interleaved rounds"
    return Section(Table(title, columns, tuple(row(each, laps[each.name]) for each in lined_up)), tuple(goals(laps)))


def goals(laps: dict[str, list[Lap]]) -> Iterator[Goal]:
    """Hold the figures against what is to be reached."""
    if SQLITE in laps:
        items, seconds = laps[SQLITE][0].scripts, median(laps[SQLITE], lambda lap: lap.seconds)
        yield Goal.at_most(f"SQLite: seconds for {items} items", WITHIN_S * items / ITEMS, seconds)
    for where in ("", FAR):
        if {DYNAMODB + where, BATCH_WRITER + where} <= laps.keys():
            ratio = faster(laps[DYNAMODB + where], laps[BATCH_WRITER + where])
            yield Goal.at_least(f"DynamoDB Local{where}: speed of batch_writer", 1.5, ratio)


def row(way: Import, laps: list[Lap]) -> tuple[str, ...]:
    """Sum up one way to import."""
    items = laps[0].scripts
    return (
        way.name,
        f"{median(laps, lambda lap: lap.seconds):.2f}",
        f"{median(laps, lambda lap: lap.rate):.0f}",
        f"{US * median(laps, lambda lap: lap.cpu_seconds) / items:.0f}",
        f"{US * statistics.median(way.served_s) / items:.0f}",
        f"{median(laps, lambda lap: lap.peak_rss_bytes) / MB:.0f}",
    )


if __name__ == "__main__":
    run_alone(measure, __doc__, ITEMS)

"""Where contenders run and how much they run: one value that all benchmarks share, and the flags that make it."""

from __future__ import annotations

import argparse
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.report import Section, show
from harness.program import PYANAMO, Program, program
from harness.servers.parts import CACHE
from harness.servers.running import Run, environment

BENCH = CACHE / "bench"
ROUNDS, ITEMS = 5, 5000
QUICK_ROUNDS, QUICK_ITEMS = 1, 40


def plain_environment() -> dict[str, str]:
    """Return the environment of all contenders: what finding programs takes, and the plainest shell."""
    return {"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/"), "LANG": "C.UTF-8", "SHELL": "/bin/sh"}


@dataclass(frozen=True, slots=True)
class Course:
    """How many scripts run, in how many slots, in which environment; `before` is a revision to compare with."""

    rounds: int = ROUNDS
    items: int = ITEMS
    slots: int = 8
    quick: bool = False
    only: tuple[str, ...] = ()
    before: str = ""
    env: Mapping[str, str] = field(default_factory=plain_environment)
    servers: Run = field(default_factory=Run.mine)

    def takes(self, contender: str) -> bool:
        """Return whether a contender takes part."""
        return not self.only or any(word in contender for word in self.only)

    @contextmanager
    def folder(self) -> Iterator[Path]:
        """Make a folder for one run, and delete it afterwards."""
        BENCH.mkdir(parents=True, exist_ok=True)
        made = Path(tempfile.mkdtemp(dir=BENCH, prefix="run-"))
        try:
            yield made
        finally:
            shutil.rmtree(made)

    def on_sqlite(self, folder: Path, *, executable: str = PYANAMO) -> Program:
        """Set pyanamo up on a new SQLite file."""
        return program(folder, table="sqlite:step.db", bucket="file:logs", env=self.env, executable=executable)

    def on_dynamodb(self, folder: Path, *, executable: str = PYANAMO) -> Program:
        """Set pyanamo up on a new table of DynamoDB Local; output stays in records, so no bucket is called."""
        env = {**self.env, **environment(self.servers.dynamodb(), "http://127.0.0.1:9")}
        return program(folder, table=folder.name, bucket="file:logs", env=env, executable=executable)


def course_of(description: str | None, items: int = ITEMS) -> Course:
    """Read the flags that all benchmarks have."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="interleaved rounds (default: %(default)s)")
    parser.add_argument("--items", type=int, default=items, help="scripts of a lap (default: %(default)s)")
    parser.add_argument("--quick", action="store_true", help="one small round, to see that everything works")
    parser.add_argument(
        "--only", nargs="+", action="extend", metavar="WORD", help="only contenders with a word in their name"
    )
    parser.add_argument("--before", default="", metavar="REVISION", help="compare with this revision of the repository")
    asked = parser.parse_args()
    rounds, items = (QUICK_ROUNDS, QUICK_ITEMS) if asked.quick else (asked.rounds, asked.items)
    return Course(rounds, items, quick=asked.quick, only=tuple(asked.only or ()), before=asked.before)


def run_alone(measure: Callable[[Course], Section], description: str | None, items: int = ITEMS) -> None:
    """Run one benchmark as a program of its own."""
    course = course_of(description, items)
    try:
        show(measure(course))
    finally:
        course.servers.end()

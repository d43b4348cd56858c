"""Ways to run scripts: pyanamo, what comes with any machine, and bare loops below pyanamo."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from benchmarks.course import Course
from benchmarks.processes import Failed, measured
from benchmarks.rounds import Contender, Lap
from harness.program import ROOT, Program

DEADLINE_S = 600.0


@dataclass(frozen=True, slots=True)
class Xargs:
    """The floor of them all: it claims nothing, keeps no output, and records nothing."""

    course: Course
    shell: str = "bash"

    @property
    def name(self) -> str:
        return f"xargs -P{self.course.slots} {self.shell} -c"

    def lap(self, script: str, scripts: int) -> Lap:
        """Run a script so many times; xargs itself fails when one of them does."""
        with self.course.folder() as folder:
            numbers = folder / "numbers"
            numbers.write_text("".join(f"{number}\n" for number in range(scripts)))
            command = ["xargs", f"-P{self.course.slots}", "-n1", self.shell, "-c", script]
            used = measured(command, cwd=folder, env=self.course.env, stdin=numbers, within_s=DEADLINE_S)
        return Lap(scripts, used.seconds, used.cpu_seconds, used.peak_rss_bytes)


@dataclass(frozen=True, slots=True)
class OnTable:
    """A worker on a table: pyanamo or a floor. The items are imported beforehand, as a user does; `run` is timed."""

    name: str
    course: Course
    set_up: Callable[[Path], Program]
    worker: Callable[[Program, int], list[str]]
    already_done: int = 0

    def lap(self, script: str, scripts: int) -> Lap:
        """Run a script so many times; the table must say that all of them are done."""
        with self.course.folder() as folder:
            program = self.set_up(folder)
            program.import_rows(*(f"i{number:06}|s|{script}" for number in range(scripts)))
            command = self.worker(program, self.course.slots)
            used = measured(command, cwd=folder, env=program.env, within_s=DEADLINE_S)
            done = program.status()["items"]["done"] - self.already_done
            if done != scripts:
                raise Failed(f"{self.name}: {done} of {scripts} items are done")
            program("table", "delete", "--yes")  # DynamoDB Local keeps tables in memory
        return Lap(scripts, used.seconds, used.cpu_seconds, used.peak_rss_bytes)


def pyanamo(*flags: str) -> Callable[[Program, int], list[str]]:
    """Run pyanamo with its default flags, and so many items at a time."""
    return lambda program, slots: program.command("run", "-i", str(slots), *flags)


def floor(program: Program, slots: int) -> list[str]:
    """Run the bare loop of `floors`."""
    return [sys.executable, str(ROOT / "benchmarks" / "floors.py"), program.table, "--slots", str(slots)]


def before(course: Course, names: tuple[str, str]) -> list[OnTable]:
    """Return the revision to compare with, on SQLite and on DynamoDB Local; nothing where none was named.

    It is told the shell that is today's default: earlier ones ran a plain command without any.
    """
    if not course.before:
        return []
    from benchmarks.revision import installed

    executable = installed(course.before)
    set_ups = (partial(course.on_sqlite, executable=executable), partial(course.on_dynamodb, executable=executable))
    same_shell = pyanamo("--shell", "bash")
    return [OnTable(name, course, set_up, same_shell) for name, set_up in zip(names, set_ups, strict=True)]


def prove(contenders: Sequence[Contender], course: Course, scripts: int) -> None:
    """Let each run scripts that leave a line behind, and count the lines.

    Raises:
        Failed: one ran more or fewer scripts than asked.
    """
    for each in contenders:
        with course.folder() as folder:
            witness = folder / "witness"
            each.lap(f"echo >> {witness}", scripts)
            ran = len(witness.read_text().splitlines()) if witness.exists() else 0
        if ran != scripts:
            raise Failed(f"{each.name} ran {ran} of {scripts} scripts")

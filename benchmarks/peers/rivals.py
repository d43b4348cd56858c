"""Other tools as contenders."""

from __future__ import annotations

import socket
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from benchmarks.course import Course
from benchmarks.peers import install
from benchmarks.processes import Failed, measured
from benchmarks.rounds import Contender, Lap

RUNNERS = Path(__file__).with_name("runners")


@dataclass(frozen=True, slots=True)
class Parallel:
    """GNU parallel, which keeps the output of each script in order; with `joblog` it records them in a file."""

    course: Course
    command: tuple[str, ...]
    joblog: bool = False

    @property
    def name(self) -> str:
        return f"GNU parallel -j{self.course.slots}{' --joblog' if self.joblog else ''}"

    def lap(self, script: str, scripts: int) -> Lap:
        """Run a script so many times; parallel itself fails when one of them does."""
        with self.course.folder() as folder:
            tasks, log = _tasks(folder, script, scripts), folder / "joblog"
            flags: list[str | Path] = ["--joblog", log] if self.joblog else []
            command: list[str | Path] = [*self.command, "--will-cite", f"-j{self.course.slots}", *flags]
            env = {**self.course.env, "HOME": str(folder)}
            used = measured(command, cwd=folder, env=env, stdin=tasks)
            if self.joblog:
                _all_ran(self.name, len(log.read_text().splitlines()) - 1, scripts)
        return Lap(scripts, used.seconds)


@dataclass(frozen=True, slots=True)
class HyperShell:
    """HyperShell's server and client in one process, plain or with its SQLite database.

    With a database it polls for seconds before and after; what is taken is the time between which scripts ran.
    """

    course: Course
    programs: Path
    database: bool = False

    @property
    def name(self) -> str:
        return f"HyperShell -N{self.course.slots}, {'SQLite' if self.database else 'no database'}"

    def lap(self, script: str, scripts: int) -> Lap:
        """Run a script so many times; none may be in its list of failures."""
        with self.course.folder() as folder:
            failures, database = folder / "failures", folder / "tasks.db"
            command: list[str | Path] = [self.programs / "hsx", _tasks(folder, script, scripts), "--no-tls"]
            command += ["--initdb" if self.database else "--no-db", "-p", str(_free_port()), "-f", failures]
            command += [
                f"-N{self.course.slots}",
                "-b",
                str(self.course.slots),
                "-w",
                "1",
            ]  # by default it waits 5 s for a bundle to fill
            env = {**self.course.env, "HOME": str(folder), "HYPERSHELL_DATABASE_FILE": str(database)}
            used = measured(command, cwd=folder, env=env)
            if self.database:
                ran, seconds = _recorded(database)
            else:
                failed = len(failures.read_text().splitlines()) if failures.exists() else 0
                ran, seconds = scripts - failed, used.seconds
            _all_ran(self.name, ran, scripts)
        return Lap(scripts, seconds)


@dataclass(frozen=True, slots=True)
class ByApi:
    """A tool that is used from Python: one of `runners/`, which starts its own clock."""

    name: str
    course: Course
    programs: Path
    runner: str

    def lap(self, script: str, scripts: int) -> Lap:
        """Run a script so many times; the runner counts what succeeded."""
        with self.course.folder() as folder:
            command = [
                str(self.programs / "python"),
                str(RUNNERS / self.runner),
                str(self.course.slots),
                str(scripts),
                script,
            ]
            env = {**self.course.env, "HOME": str(folder), "PATH": f"{self.programs}:{self.course.env['PATH']}"}
            said = measured(command, cwd=folder, env=env).output
        seconds, ran = said.split()[-2:]
        _all_ran(self.name, int(ran), scripts)
        return Lap(scripts, float(seconds))


def rivals(course: Course, *, from_pypi: bool = True) -> tuple[list[Contender], list[str]]:
    """Install other tools; return those that take part, and by name what is missing."""
    found: list[Contender] = []
    missing: list[str] = []
    for some in (_parallels, _from_python) if from_pypi else (_parallels,):
        try:
            found += some(course)
        except install.PeerMissing as reason:
            missing.append(f"missing: {NAMES[some]}: {reason}")
    return found, missing


def _parallels(course: Course) -> Iterator[Contender]:
    command = tuple(install.parallel())
    yield Parallel(course, command)
    yield Parallel(course, command, joblog=True)


def _from_python(course: Course) -> Iterator[Contender]:
    programs = install.python()
    yield HyperShell(course, programs)
    yield HyperShell(course, programs, database=True)
    yield ByApi("HyperQueue", course, programs, "on_hyperqueue.py")
    yield ByApi("Parsl, high throughput executor", course, programs, "on_parsl.py")


NAMES: dict[Callable[[Course], Iterator[Contender]], str] = {
    _parallels: "GNU parallel",
    _from_python: "HyperShell, HyperQueue, Parsl",
}


def _tasks(folder: Path, script: str, scripts: int) -> Path:
    file = folder / "tasks"
    file.write_text(f"{script}\n" * scripts)
    return file


def _recorded(database: Path) -> tuple[int, float]:
    """Tell how many scripts succeeded, and the seconds from the first's start to the last's end."""
    with closing(sqlite3.connect(database)) as connection:
        [row] = connection.execute(
            """SELECT count(*), (max(julianday(completion_time)) - min(julianday(start_time))) * 86400
            FROM task WHERE exit_status = 0"""
        )
    return row[0], row[1]


def _all_ran(name: str, ran: int, scripts: int) -> None:
    if ran != scripts:
        raise Failed(f"{name} ran {ran} of {scripts} scripts")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port

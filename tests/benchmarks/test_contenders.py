"""Contenders really run what they are asked to, and who does not is found out.

`make bench` proves all of them before it measures; `make slow` needs nothing from PyPI.
"""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from benchmarks.contenders import OnTable, Xargs, floor, prove, pyanamo
from benchmarks.course import Course
from benchmarks.peers.rivals import rivals
from benchmarks.processes import Failed
from benchmarks.rounds import Lap
from harness.program import PATIENCE_S, ROOT, Program
from harness.servers.running import Run

Worker = Callable[[Program, int], list[str]]
FULL = "PYANAMO_TEST_BENCH" in os.environ
SCRIPTS = 24
PARALLEL = ("GNU parallel -j8", "GNU parallel -j8 --joblog")
FROM_PYPI = (
    "HyperShell -N8, no database",
    "HyperShell -N8, SQLite",
    "HyperQueue",
    "Parsl, high throughput executor",
)
MODULES = ("throughput", "makespan", "crowd", "startup", "original", "floors", "spawn")


@pytest.fixture(scope="module")
def course() -> Course:
    """A small course on the servers of this test run."""
    servers = Run(Path(os.environ["PYANAMO_TEST_RUN"]), int(os.environ["PYANAMO_TEST_RUN_PID"]), quick=True)
    return Course(rounds=1, items=SCRIPTS, quick=True, servers=servers)


@dataclass(frozen=True, slots=True)
class Fake:
    """Runs so many scripts more than it is asked to."""

    more: int
    name: str = "fake"

    def lap(self, script: str, scripts: int) -> Lap:
        for _ in range(scripts + self.more):
            subprocess.run(["sh", "-c", script], check=True)
        return Lap(scripts, 1.0)


@pytest.mark.parametrize("more", [-1, 1])
def test_who_does_not_run_every_script_once_is_found_out(course: Course, more: int) -> None:
    """Scripts bear witness: one too few is a failure, and so is one too many."""
    with pytest.raises(Failed, match=f"fake ran {3 + more} of 3 scripts"):
        prove([Fake(more)], course, 3)


def test_whose_script_fails_is_found_out(course: Course) -> None:
    """A contender that fails is not measured."""
    with pytest.raises(Failed, match="ended with 123"):
        Xargs(course).lap("false", 3)


def test_whose_items_are_not_done_is_found_out(course: Course) -> None:
    """A worker that says all is well, but did nothing, is not measured."""
    idle = OnTable("idle", course, course.on_sqlite, lambda *_: ["true"])

    with pytest.raises(Failed, match="idle: 0 of 3 items are done"):
        idle.lap("true", 3)


@pytest.mark.parametrize("shell", ["sh", "bash"])
def test_xargs_runs_every_script(course: Course, shell: str) -> None:
    """What all others are compared with does the whole work."""
    prove([Xargs(course, shell)], course, SCRIPTS)


@pytest.mark.parametrize("worker", [floor, pyanamo("--shell", "sh")])
def test_workers_run_every_script_on_sqlite(course: Course, worker: Worker) -> None:
    """Pyanamo and the bare loop below it."""
    prove([OnTable("a worker", course, course.on_sqlite, worker)], course, SCRIPTS)


@pytest.mark.parametrize("worker", [floor, pyanamo()])
def test_workers_run_every_script_on_dynamodb(course: Course, worker: Worker, dynamodb_endpoint: str) -> None:
    """Pyanamo and the bare loop below it."""
    assert dynamodb_endpoint  # or it is skipped
    prove([OnTable("a worker", course, course.on_dynamodb, worker)], course, SCRIPTS)


@pytest.mark.parametrize("name", PARALLEL + FROM_PYPI if FULL else PARALLEL)
def test_other_tools_run_every_script(course: Course, name: str) -> None:
    """They are installed here; what cannot be is skipped by name."""
    found, missing = rivals(course, from_pypi=name in FROM_PYPI)
    if not (taking_part := [each for each in found if each.name == name]):
        pytest.skip(f"{name} takes no part: {missing}")

    prove(taking_part, course, SCRIPTS)


@pytest.mark.parametrize("name", MODULES)
def test_each_benchmark_explains_itself(name: str) -> None:
    """`python -m benchmarks.NAME --help` works for each."""
    command = [sys.executable, "-m", f"benchmarks.{name}", "--help"]
    said = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True, timeout=PATIENCE_S).stdout

    assert f"benchmarks.{name}" in said or f"{name}.py" in said


@pytest.mark.parametrize("name", ["makespan", "startup", "original"] if FULL else ["startup", "original"])
def test_each_benchmark_measures(course: Course, name: str, dynamodb_endpoint: str) -> None:
    """The quick version of each comes to its goals."""
    assert dynamodb_endpoint  # or it is skipped
    assert importlib.import_module(f"benchmarks.{name}").measure(course).goals


def test_a_benchmark_is_a_program_too() -> None:
    """It runs from the command line and ends with its goals."""
    command = [sys.executable, "-m", "benchmarks.crowd", "--quick"]
    said = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True, timeout=PATIENCE_S).stdout

    assert "Goals" in said

"""Comparing: turns, medians, ratios, goals, and what is written of them."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from benchmarks.crowd import most_at_once
from benchmarks.processes import Failed, measured
from benchmarks.report import Goal, Section, Table, markdown, missed_goals
from benchmarks.rounds import Lap, faster, interleaved, median
from benchmarks.throughput import all_started, cpu_each


@dataclass(frozen=True, slots=True)
class Runner:
    """Tells when its turn was."""

    name: str
    turns: list[str] = field(compare=False)

    def lap(self, script: str, scripts: int) -> Lap:
        self.turns.append(self.name + script)
        return Lap(scripts, seconds=len(self.turns))


def laps(*seconds: float) -> list[Lap]:
    return [Lap(100, each) for each in seconds]


def test_contenders_take_turns_and_every_second_round_in_reverse() -> None:
    """A machine that slows down steadily favours nobody."""
    turns: list[str] = []
    lined_up = [Runner("a", turns), Runner("b", turns)]
    found = interleaved(lined_up, 3, lambda each: each.lap("!", 1), say=lambda _: None)

    assert turns == ["a!", "b!", "b!", "a!", "a!", "b!"]
    assert [lap.seconds for lap in found["a"]] == [1, 4, 5]
    assert [lap.seconds for lap in found["b"]] == [2, 3, 6]


def test_a_ratio_is_taken_within_each_round() -> None:
    """The second round was four times as slow for everybody; the ratios do not notice."""
    assert faster(laps(1, 4, 1), laps(2, 8, 2)) == 2
    assert median(laps(1, 4, 2), lambda lap: lap.rate) == 50


def test_start_up_is_what_a_single_script_takes() -> None:
    """The others of the lap are divided by the rest of the time, and of the CPU time."""
    lap, start = Lap(101, 3.0, cpu_seconds=0.7), Lap(1, 1.0, cpu_seconds=0.2)

    assert [each.rate for each in all_started([lap], [start])] == [50]
    assert cpu_each([lap], [start]) == pytest.approx(0.005)


@pytest.mark.parametrize(
    ("goal", "reached"),
    [
        (Goal.at_least("speed", 0.6, 0.6), True),
        (Goal.at_least("speed", 0.6, 0.59), False),
        (Goal.at_most("cost", 8, 8), True),
        (Goal.at_most("cost", 8, 8.1), False),
    ],
)
def test_a_goal_is_reached_or_not(goal: Goal, reached: bool) -> None:
    """Reaching it exactly is enough."""
    assert goal.reached is reached


def test_a_report_names_the_day_the_machine_and_what_is_missing() -> None:
    """A figure means nothing without them; what could not be measured is not hidden."""
    table = Table("Speed", ("", "per second"), (("pyanamo", "900"),), ("missing: GNU parallel: no perl",))
    written = markdown([Section(table, (Goal.at_least("speed", 1, 2),))])

    assert f"{os.cpu_count()} cores" in written.splitlines()[0]
    assert "| pyanamo | 900 |" in written
    assert "- missing: GNU parallel: no perl" in written
    assert "| speed | >= 1.00 | 2.00 | yes |" in written


def test_spans_that_overlap_are_counted() -> None:
    """One that begins the moment another ends does not run beside it."""
    assert most_at_once([("1", "3"), ("2", "4"), ("3", "5")]) == 2
    assert most_at_once([]) == 0


def test_what_a_process_took_is_its_own(tmp_path: Path) -> None:
    """CPU time of its children is not counted; its own is, to its very end."""
    burn = "import time\nwhile time.process_time() < {}: pass"
    child = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {burn.format(1)!r}])"
    own = measured([sys.executable, "-c", f"{child}\n{burn.format(0.4)}"], cwd=tmp_path, env=os.environ)

    assert 0.3 < own.cpu_seconds < 0.8
    assert own.seconds > 1


def test_the_peak_of_a_process_is_its_own(tmp_path: Path) -> None:
    """Neither what its parent weighs nor what it has given back before the end hides it."""
    ballast = bytearray(100_000_000)
    script = "import time; much = bytearray(50_000_000); time.sleep(0.5); del much; time.sleep(0.5)"
    used = measured([sys.executable, "-c", script], cwd=tmp_path, env=os.environ)

    assert len(ballast) > used.peak_rss_bytes > 50_000_000


def test_a_process_that_fails_is_not_measured(tmp_path: Path) -> None:
    """What it said is told, and one that does not end is ended."""
    with pytest.raises(Failed, match="ended with 3: no good"):
        measured(["sh", "-c", "echo no good >&2; exit 3"], cwd=tmp_path, env=os.environ)
    with pytest.raises(Failed, match="ended with -9"):
        measured(["sleep", "60"], cwd=tmp_path, env=os.environ, within_s=0.2)
    assert subprocess.run(["pgrep", "-P", str(os.getpid()), "-x", "sleep"], capture_output=True, check=False).returncode


def test_goals_that_were_missed_are_named() -> None:
    """A benchmark that misses one must be able to fail."""
    table = Table("", (), ())
    goals = Goal.at_least("fast", 2, 1), Goal.at_most("small", 2, 1), Goal.at_most("cheap", 1, 2)

    assert missed_goals([Section(table, goals[:2]), Section(table, goals[2:])]) == ["fast", "cheap"]

"""The variant-calling example with its mishaps: the page is typed, and the tables are looked at from outside."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pyarrow.parquet
import pytest

from harness.program import ROOT, Row, program
from harness.sessions import Step, Terminal, blocks, essence, steps

EXAMPLE = ROOT / "examples" / "variant_calling"
CHROMOSOMES = 3
AT_LEAST = 0.95

pytestmark = pytest.mark.timeout(1800)  # a minute and a half of real work on two idle cores


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of the example; a named skip where its tools are missing and cannot be installed, a failure in CI."""
    installed = subprocess.run([EXAMPLE / "install-tools", "aws"], capture_output=True, text=True, check=False)
    if installed.returncode:
        assert not os.environ.get("CI"), installed.stderr
        pytest.skip(installed.stderr)
    return Path(shutil.copytree(EXAMPLE, tmp_path / "variants"))


class Story:
    """The page, typed step by step; what was done once is watched to the end."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._terminal = Terminal(folder)
        self._steps: Iterator[Step] = steps(blocks((EXAMPLE / "README.md").read_text()))
        self._done: dict[tuple[str, str], tuple[int, int]] = {}

    def type_to(self, *words: str) -> str:
        """Type to the next command that has these words, and return what it showed; all show what the page has."""
        for step in self._steps:
            shown, _ = self._terminal.type(step.typed)
            assert essence(shown) == essence(step.shown), f"{step.typed}\n{shown}"
            self._look_at_chromosomes()
            if all(word in step.typed for word in words):
                return shown
        raise AssertionError(f"no command has {words}")

    def rows(self, step: str) -> dict[str, Row]:
        """Read the items of a step, by sample or chromosome."""
        if not (self.folder / f"{step}.db").exists():
            return {}
        table = program(self.folder, table=f"sqlite:{step}.db", bucket="file:pyanamo-logs", env={})
        return {item_id.removeprefix(f"{step}-"): row for item_id, row in table.rows().items()}

    def states(self, step: str) -> dict[str, str]:
        """Tell in which state each sample or chromosome is."""
        return {name: row["ItemState"] for name, row in self.rows(step).items()}

    def done(self, sample: str) -> set[str]:
        """Tell which chromosomes of a sample are done."""
        tasks = self.rows("call")[sample]["TaskScript"].values()
        return {task["Script"].split()[-1] for task in tasks if task["Status"] == "done"}

    def _look_at_chromosomes(self) -> None:
        """What a task has made when it is done is the same file for ever: nobody has made it again."""
        for sample in self.rows("call"):
            for chromosome in self.done(sample):
                made = (self.folder / f"results/calls/{sample}.{chromosome}.g.vcf.gz").stat()
                known = self._done.setdefault((sample, chromosome), (made.st_ino, made.st_mtime_ns))
                assert known == (made.st_ino, made.st_mtime_ns), f"{sample} {chromosome} ran again"


def test_a_cohort_is_called_whole_whatever_happens(folder: Path) -> None:
    """Short of time, truncated, killed, withdrawn, late: each costs what it must, and the calls are those planted."""
    story = Story(folder)

    story.type_to("--wall-time")
    short = [row for row in story.rows("align").values() if row["ItemState"] == "Wall_Time_Exceeded"]
    assert [(row["Interruptions"], row.get("Failures", 0)) for row in short] == [(1, 0)] * 2

    story.type_to("run", "--max-failures 2")
    assert story.states("align") == {f"S{number}": "failed" if number == 5 else "done" for number in range(1, 8)}
    assert story.rows("align")["S5"]["Failures"] == 2
    assert "gzip" in story.type_to("failures")
    story.type_to("sh next.sh")
    assert set(story.rows("call")) == {"S1", "S2", "S3", "S4", "S6", "S7"}
    story.type_to("run -t sqlite:align.db")
    assert set(story.states("align").values()) == {"done"}
    story.type_to("sh next.sh")
    assert set(story.rows("call")) == {f"S{number}" for number in range(1, 8)}

    story.type_to("kill -9")
    assert {name for name, state in story.states("call").items() if state == "locked"} == {"S1", "S3"}
    assert 0 < len(story.done("S1") | story.done("S3")) < CHROMOSOMES
    story.type_to("cancel")
    before, withdrawn = story.done("S1"), story.done("S3")
    story.type_to("run -t sqlite:call.db -i 2")
    assert story.states("call") == {f"S{number}": "Pending" if number == 3 else "done" for number in range(1, 8)}
    killed = story.rows("call")["S1"]
    assert (killed["Crashes"], killed.get("Failures", 0)) == (1, 0)
    attempts = {name: record["Attempt"] for name, record in killed["Log"].items()}
    assert attempts == {f"Task_{at}": 1 if f"chr{at + 1}" in before else 2 for at in range(CHROMOSOMES)}

    story.type_to("import samples.csv")
    assert {name for name, state in story.states("align").items() if state == "todo"} == {"S8"}
    story.type_to("sh next.sh")
    assert {name for name, state in story.states("call").items() if state == "todo"} == {"S8"}

    compared = story.type_to("compare.py")
    assert story.done("S3") == withdrawn
    assert set(story.states("cohort").values()) == {"done"}
    _agrees(compared, "S1 S2 S4 S5 S6 S7 S8")
    _is_exported(folder, samples=7, calls=7 * CHROMOSOMES + len(withdrawn))


def test_a_cohort_is_called_by_containers(folder: Path, bucket: str, aws_env: dict[str, str]) -> None:
    """With an archive of scripts, a set-up, reads and results in a bucket, and tables of DynamoDB."""
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    env = {**os.environ, **aws_env, "PATH": path, "PYTHONPATH": str(ROOT)}
    printed = subprocess.run(
        ["bash", "aws.sh", bucket], cwd=folder, env=env, stdout=subprocess.PIPE, text=True, check=True
    ).stdout

    for step, items in (("align", 8), ("call", 8), ("cohort", CHROMOSOMES)):
        rows = program(folder, table=step, bucket=bucket, env=aws_env).rows()
        assert [(row["ItemState"], row["Attempt"]) for row in rows.values()] == [("done", 1)] * items
    _agrees("\n".join(printed.splitlines()[-5:]), " ".join(f"S{at}" for at in range(1, 9)))
    _is_exported(folder, samples=8, calls=8 * CHROMOSOMES)


def _agrees(compared: str, samples: str) -> None:
    """What was called for these samples is what was planted."""
    [said, *shares] = [line.split("\t") for line in compared.splitlines()]
    assert said == ["samples", samples]
    assert [name for name, *_ in shares] == ["covered", "recall", "precision", "genotypes"]
    assert min(float(share) for *_, share in shares) >= AT_LEAST


def _is_exported(folder: Path, *, samples: int, calls: int) -> None:
    """What the scripts reported is in the database and in the file, and the report is there."""
    with sqlite3.connect(folder / "results.db") as database:
        [[reported]] = database.execute("SELECT count(*) FROM calls WHERE variants > 0 AND depth > 20")
        joint = database.execute("SELECT chromosome, samples FROM cohort ORDER BY 1").fetchall()
    columns = pyarrow.parquet.read_table(folder / "calls.parquet").to_pydict()
    assert reported == calls == sum(each is not None for each in columns["variants"])
    assert joint == [(f"chr{at}", samples) for at in (1, 2, 3)]
    assert (folder / "report.html").stat().st_size > 0

"""The flags of `pyanamo run` that can be written in several ways."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from tests.cli.conftest import PYANAMO, Cli


@pytest.mark.parametrize(
    ("argv", "group"),
    [
        (["--cloudwatch", "my group"], "my group"),
        (["--cloudwatch=my group"], "my group"),
        (["-i", "2", "--cloudwatch", "my group", "-n", "1"], "my group"),
        (["--cloudwatch"], "/PyAnamo/odd name"),
        (["--cloudwatch", "-i", "2"], "/PyAnamo/odd name"),
        (["--cloudwatch", "--exit-zero"], "/PyAnamo/odd name"),
    ],
)
def test_the_group_may_be_left_out(cli: Cli, argv: list[str], group: str) -> None:
    """`--cloudwatch` stands alone or with a group, wherever on the line; the complaint shows what was understood."""
    said = cli("run", "-t", "sqlite:odd name.db", *argv)

    assert said.status == 2
    assert f"--cloudwatch '{group}' is no name of a log group" in said.err


@pytest.mark.parametrize(
    ("argv", "says"),
    [
        (["--sse", "aws:kms"], "--sse"),
        (["--spool-memory", "much"], "--spool-memory"),
        (["--cloudwatch", "g", "more"], "more"),
    ],
)
def test_invalid_usage_is_refused(cli: Cli, argv: list[str], says: str) -> None:
    """Before anything is opened."""
    said = cli("run", *argv)

    assert said.status == 2
    assert says in said.err


def test_a_worker_that_halts_says_why_to_whoever_asks(cli: Cli, folder: Path) -> None:
    """Its exit status is 1, and `status`, `explain` and `workers` have the reason."""
    (folder / "broken.txt").write_text("itemID|TaskID|TaskScript\n" + "".join(f"i{n}|s|exit 127\n" for n in range(9)))
    cli("import", "broken.txt")
    flags = ("-i", "1", "--max-failures", "1")
    ran = subprocess.run(
        [PYANAMO, "run", *flags], env={**os.environ, "PYANAMO_HALT_AFTER": "2"}, check=False, timeout=60
    )
    reason = "halted after 2 failures in a row, the last: i1: exit status 127"

    assert ran.returncode == 1
    assert [each["reason"] for each in cli("status", "--json").json()[0]["halted"]] == [reason]
    assert reason in cli("status").out
    assert reason in cli("explain", "i5").out
    assert f"stopped: {reason}" in cli("workers").out
    assert cli("run", "--max-failed", "2").status == 1
    assert cli("run", "--max-failed", "half").status == 2


def test_metrics_of_a_worker_and_of_its_table_are_told(cli: Cli, folder: Path) -> None:
    """The worker's into a file and its log, where each line is whole; the table's by whoever asks."""
    cli("import", "single.txt")
    flags = ("--emf", "--prometheus", str(folder / "w.prom"), "--max-failures", "1")
    ran = subprocess.run([PYANAMO, "run", *flags], capture_output=True, text=True, check=False, timeout=60)
    [told] = [json.loads(line) for line in ran.stderr.splitlines() if line.startswith("{")]

    assert (told["WorkerItemsDone"], told["WorkerItemsFailed"]) == (1, 1)
    assert "pyanamo_worker_items_done_total{" in (folder / "w.prom").read_text()
    assert json.loads(cli("status", "--emf").out)["Backlog"] == 0
    assert "\npyanamo_items{" in cli("status", "--prometheus").out
    assert cli("status", "--prometheus", "--json").status == 2


def test_a_file_of_metrics_that_cannot_be_written_ends_no_worker(cli: Cli, folder: Path) -> None:
    """It is said, and the work is done; unless it cannot be written from the start."""
    (folder / "single.txt").write_text("rm -r metrics\n")
    cli("import", "single.txt")
    refused = cli("run", "--prometheus", "metrics/w.prom")
    (folder / "metrics").mkdir()
    said = cli("run", "--prometheus", "metrics/w.prom")

    assert (refused.status, said.status) == (2, 0)
    assert (
        refused.err == "pyanamo: --prometheus metrics/w.prom cannot be written: No such file or directory. "
        "hint: choose another file\n"
    )
    assert "--prometheus metrics/w.prom cannot be written" in said.err

"""The flags of `pyanamo run` that can be written in several ways."""

from __future__ import annotations

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

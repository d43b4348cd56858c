"""What the environment says takes effect."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
import typer

from pyanamo_async import Table
from pyanamo_async.cli.options import on_table
from tests.cli.conftest import PYANAMO, Cli


def seen_by_a_command() -> Table:
    """Return the table that a command is passed."""
    app, seen = typer.Typer(), list[Table]()

    @app.command()
    @on_table
    def look(table: Table) -> None:
        seen.append(table)

    app([], standalone_mode=False)
    return seen[0]


def run(*flags: str, **env: str) -> subprocess.CompletedProcess[str]:
    """Run a worker with more in its environment."""
    environ = {**os.environ, **env}
    return subprocess.run(
        [PYANAMO, "run", *flags], env=environ, capture_output=True, text=True, check=False, timeout=60
    )


def test_the_environment_says_where_output_goes(monkeypatch: pytest.MonkeyPatch) -> None:
    """The bucket, and the path below it."""
    monkeypatch.setenv("S3_BUCKET", "a-bucket")
    monkeypatch.setenv("PYANAMO_BUCKET_KEY", "some/path")

    assert seen_by_a_command().output == "s3://a-bucket/some/path"


def test_the_environment_names_the_region(monkeypatch: pytest.MonkeyPatch) -> None:
    """By both names that AWS has for it; the first outweighs the second."""
    monkeypatch.delenv("AWS_REGION", raising=False)
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-2")
    assert seen_by_a_command().region == "eu-west-2"

    monkeypatch.setenv("AWS_REGION", "eu-west-1")
    assert seen_by_a_command().region == "eu-west-1"


def test_the_environment_says_how_much_a_worker_runs(cli: Cli) -> None:
    """Items and nests at a time."""
    cli("import", "single.txt")

    started = run("--exit-zero", "--max-failures", "1", PYANAMO_ITEMS="3", PYANAMO_NESTS="2").stderr.splitlines()[0]

    assert "items=3 nests=2" in started


def test_the_environment_says_how_long_a_worker_may_run(cli: Cli) -> None:
    """It is held against what else was asked for, as that of the flag is."""
    cli("import", "single.txt")

    said = run("--min-remaining", "2h", PYANAMO_WALL_TIME="1h")

    assert (said.returncode, "leaves nothing of the wall time" in said.stderr) == (2, True)
    assert run("--exit-zero", "--max-failures", "1", "--min-remaining", "2h", PYANAMO_WALL_TIME="3h").returncode == 0


def test_variables_of_the_worker_mean_in_scripts_what_they_were_set_to(cli: Cli, folder: Path) -> None:
    """As pipelines of PyAnamo have always been written."""
    (folder / "pipeline.txt").write_text("itemID|TaskID|TaskScript\na|s|echo ${PIPELINE}/call.sh\n")
    cli("import", "pipeline.txt")

    assert run(PIPELINE="/opt/pipeline").returncode == 0
    assert cli("logs", "a").out == "/opt/pipeline/call.sh\n"


def test_idle_exit_waits_for_work_and_then_ends(cli: Cli) -> None:
    """By itself, with the status of a worker that left nothing."""
    cli("table", "create")

    said = run("--idle-exit", "200ms")

    assert (said.returncode, said.stdout) == (0, "")
    assert "worker ended" in said.stderr

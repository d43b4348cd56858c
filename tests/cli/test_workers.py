"""`workers` and what it orders; tables on which workers work."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from pyanamo_async import JobRun, WorkerJob
from pyanamo_async.cli import worker_jobs
from pyanamo_async.cli.listing import fitting, row_of
from pyanamo_async.cli.workers import COLUMNS
from pyanamo_async.core.values import replace
from pyanamo_async.core.workers import Worker, WorkerState
from pyanamo_async.host.liveness import own_mark
from pyanamo_async.store.sqlite import SqliteStore
from tests.cli.conftest import Cli

MARK_ITSELF = "from pyanamo_async.host.liveness import own_mark; print(own_mark())"


def heartbeat(path: Path, worker_id: str, *, process: str = "") -> None:
    """Put a worker into a table that has just shown a sign of life."""

    async def put() -> None:
        store, now = SqliteStore(path), datetime.now(UTC)
        await store.create(shards=1)
        await store.heartbeat(Worker(worker_id, "h", now, now, timedelta(hours=1), process=process))
        await store.close()

    asyncio.run(put())


def test_workers_that_ended_stopped_and_vanished_are_told_apart(cli: Cli, folder: Path) -> None:
    """By what they said last, or that they did not."""
    now, lease = datetime.now(UTC), timedelta(hours=1)
    said = {
        "w1": Worker("w1", "h", now, now, lease),
        "w2": Worker("w2", "h", now, now, lease, stopped_by="SIGTERM"),
        "w3": Worker("w3", "h", now, now, lease, stopped_by="SIGTERM", state=WorkerState.ENDED),
        "w4": Worker("w4", "h", now, now, lease, state=WorkerState.ENDED),
        "w5": Worker("w5", "h", now, now - 2 * lease, lease),
    }

    async def put() -> None:
        store = SqliteStore(folder / "pyanamo.db")
        await store.create(shards=1)
        for worker in said.values():
            await store.heartbeat(worker)
        await store.close()

    asyncio.run(put())

    told = dict(line.split("\t")[:2] for line in cli("workers").out.splitlines())
    assert [told[name] for name in said] == [
        "alive",
        "stopping: SIGTERM",
        "stopped: SIGTERM",
        "ended",
        "vanished: silent for its lease",
    ]
    assert {each["worker"]: each["stopped_by"] for each in cli("workers", "--json").json()}["w3"] == "SIGTERM"


@pytest.mark.parametrize("width", [40, 80])
def test_how_a_worker_is_shows_on_a_narrow_terminal(width: int) -> None:
    """However long its reason: that is cut, not left out."""
    rows = [
        ["vm-cea99646", "stopped: this worker stood still for two thirds of its lease", "", "0/2", "8", "", "", "", ""]
    ]

    widths = fitting(COLUMNS, rows, width=width, among=range(len(COLUMNS)))

    shown = {COLUMNS[index].name: cells for index, cells in widths.items()}
    assert shown["worker"] == len("vm-cea99646")
    assert shown["condition"] >= len("standing still")


@pytest.mark.parametrize("flag", [["-t", "sqlite:other.db"], ["--json"], ["--region", "eu-west-1"]])
def test_a_flag_that_an_order_would_lose_is_refused(cli: Cli, folder: Path, flag: list[str]) -> None:
    """Nobody orders the workers of another table than the one that was named."""
    heartbeat(folder / "pyanamo.db", "w1")
    heartbeat(folder / "other.db", "w2")

    said = cli("workers", *flag, "drain", "--all")

    assert (said.status, said.out) == (2, "")
    assert "stands before drain" in said.err
    assert ". hint: write `pyanamo workers drain" in said.err
    assert [each["desired"] for each in cli("workers", "--json").json()] == ["run"]


def test_a_flag_behind_an_order_is_its_own(cli: Cli, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And so is what the environment says."""
    heartbeat(folder / "other.db", "w2")

    assert cli("workers", "drain", "--all", "-t", "sqlite:other.db").out.startswith("w2 will ")
    monkeypatch.setenv("PYANAMO_TABLE", "sqlite:other.db")
    assert cli("workers", "stop", "--all").out.startswith("w2 will ")


@pytest.mark.skipif(not own_mark(), reason="needs Linux's /proc")
def test_a_killed_worker_of_this_machine_does_not_live(cli: Cli, folder: Path) -> None:
    """`workers` and `reclaim` know the same."""
    mark = subprocess.run([sys.executable, "-c", MARK_ITSELF], capture_output=True, text=True, check=True).stdout
    heartbeat(folder / "pyanamo.db", "w1", process=mark.strip())

    assert [each["condition"] for each in cli("workers", "--json").json()] == ["died"]
    assert cli("workers", "drain", "--all").out == ""


def test_a_table_with_workers_is_not_deleted_by_the_way(cli: Cli, folder: Path) -> None:
    """Not with --yes alone."""
    heartbeat(folder / "pyanamo.db", "w1")

    said = cli("table", "delete", "--yes")

    assert said.status == 2
    assert "1 worker may still work" in said.err
    assert "--force" in said.err
    assert cli("table", "delete", "--yes", "--force").out == "deleted table sqlite:pyanamo.db with 0 items\n"


def test_jobs_are_shown_with_the_items_they_hold(
    cli: Cli, folder: Path, aws_env: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """For people and as JSON; one that Batch does not know is said to be so, and a worker of no job is, too."""
    for name, value in aws_env.items():
        monkeypatch.setenv(name, value)
    job = "0a1b2c3d-0000-4000-8000-00000000000a:4"
    cli("import", "single.txt")

    async def claim() -> None:
        store, now = SqliteStore(folder / "pyanamo.db"), datetime.now(UTC)
        for worker_id, batch_job in ((f"{job}-00000001", f"{job} attempt 1"), ("laptop-1", "")):
            await store.heartbeat(Worker(worker_id, "h", now, now, timedelta(hours=1), job=batch_job))
            await store.claim(worker_id, limit=1, now=now)
        await store.close()

    asyncio.run(claim())
    said = cli("workers", "--jobs", "--json").json()
    lines = [line.split("\t") for line in cli("workers", "--jobs").out.splitlines()]

    assert [(each["worker"], each["job"], each["attempt"], each["status"]) for each in said] == [
        (f"{job}-00000001", job, 1, "no longer known"),
        ("laptop-1", None, None, None),
    ]
    assert sorted(item for each in said for item in each["items"]) == ["a", "b"]
    assert [(line[-1], line[1]) for line in lines[1:]] == [
        (f"{job}-00000001", "no longer known"),
        ("laptop-1", "no job"),
    ]
    assert sorted(line[0] for line in lines[1:]) == ["a", "b"]
    assert cli("reclaim", "--jobs", "--json").json() == {"reclaimed": 0, "failed": 0}


def test_jobs_are_those_of_workers_that_hold_items(cli: Cli, folder: Path) -> None:
    """Without any, Batch is not asked; --stale is another question."""
    heartbeat(folder / "pyanamo.db", "w1")

    assert cli("workers", "--jobs", "--json").json() == []
    assert (cli("workers", "--jobs", "--stale").status, cli("reclaim", "--jobs").out) == (2, "0 items went back\n")


def test_why_a_job_stopped_shows_on_a_narrow_terminal() -> None:
    """Beside the item that it held and its state, however long the worker's id."""
    job, run = "0a1b2c3d-0000-4000-8000-00000000000a:4", JobRun(reason=f"Host EC2 ({'i' * 20}) terminated.")
    held = WorkerJob(f"{job}-00000001", ("s1-chr1",), job, 1, "RUNNING", replace(run, stopped=datetime.now(UTC)))

    row = row_of(worker_jobs.COLUMNS, (held, "s1-chr1")).fields
    widths = fitting(worker_jobs.COLUMNS, [row], width=80, among=range(len(worker_jobs.COLUMNS)))

    assert row[:2] == ["s1-chr1", "RUNNING again"]
    assert {worker_jobs.COLUMNS[index].name for index in widths} >= {"itemID", "job state", "reason"}
    assert widths[2] > len("Host EC2 (")

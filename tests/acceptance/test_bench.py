"""Users measure their own table and bucket: the figures are there, their items are not touched, and nothing is left."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest

from harness.program import SQLITE, Program, until

SMALL = ("--items", "30", "-i", "4", "--output", "1MiB")
COUNTS = {
    ("import", 1): 30,
    ("claim", 1): 30,
    ("settle", 1): 30,
    ("import", 30): 30,
    ("claim", 4): 30,
    ("settle", 4): 30,
    ("heartbeat", 1): 20,
    ("worker", 4): 30,
    ("small output", 1): 20,
    ("output stream", 1): 1,
}
COLUMNS = ["measured", "at once", "rate", "p50 ms", "p95 ms", "max ms", "WRU", "RRU"]
UNITS = {"import": 2, "claim": 3, "settle": 3, "heartbeat": 3}
Start = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def start(pyanamo: Program) -> Iterator[Start]:
    """Start commands of the program; none outlives the test."""
    started: list[subprocess.Popen[str]] = []

    def start(*args: str) -> subprocess.Popen[str]:
        started.append(pyanamo.start(*args))
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.wait()


def test_figures_are_plausible_and_nothing_is_left(pyanamo: Program) -> None:
    """Counts are those asked for, latencies in order, units those of the store; a missing table is no obstacle."""
    before = traces(pyanamo)
    said = json.loads(pyanamo("bench", "--json", *SMALL))
    figures = {(each["what"], each["at_once"]): each for each in said["measured"]}

    assert {key: each["count"] for key, each in figures.items()} == COUNTS
    assert figures["output stream", 1]["size_bytes"] == 1 << 20
    for each in figures.values():
        assert 0 < each["seconds"] < 60
        if each["p50_ms"] is not None:
            assert 0 < each["p50_ms"] <= each["p95_ms"] <= each["max_ms"] <= each["seconds"] * 1000
    charged = {what: figures[what, 1]["write_units"] for what in UNITS}
    if pyanamo.table.startswith(SQLITE):
        assert set(charged.values()) == {None}
        assert (said["write_units_per_item"], said["usd_per_million_items"], said["price"]) == (None, None, None)
    else:
        assert charged == UNITS
        assert said["write_units_per_item"] == 8
        assert 0 < said["read_units_per_item"] < 1
        cost = 8 * 0.625 + said["read_units_per_item"] * 0.125
        assert said["usd_per_million_items"] == pytest.approx(cost, abs=0.001)
        assert "us-east-1 since 2024-11-01" in said["price"]
    assert traces(pyanamo) == before


def test_items_and_workers_are_left_alone(pyanamo: Program, start: Start) -> None:
    """A worker that waits for work takes none of the bench's, and the bench none of what is to do."""
    pyanamo.import_rows("ran|s|true")
    worker = start("run", "--wait", "-i", "2", "--backoff", "3000d..3000d")
    until(lambda: pyanamo.rows()["ran"]["ItemState"] == "done")
    pyanamo.import_rows("waits|s|exit 1")
    until(lambda: pyanamo.rows()["waits"].get("Failures") == 1 and pyanamo.rows()["waits"]["ItemState"] == "todo")
    before = pyanamo.rows()
    pyanamo("bench", *SMALL)

    assert pyanamo.rows() == before
    worker.terminate()
    assert worker.wait(timeout=30) == 75
    [row] = json.loads(pyanamo("workers", "--json"))
    assert row["done"] == 1


def test_a_person_reads_a_table(pyanamo: Program) -> None:
    """On stdout; how it goes, and what the price is, on stderr."""
    done = pyanamo.run("bench", *SMALL, "-i", "1")
    header, *rows = (line.split("\t") for line in done.stdout.splitlines())

    assert done.returncode == 0
    assert header == COLUMNS
    assert {len(row) for row in rows} == {len(header)}
    assert [row[0] for row in rows[:3]] == ["import", "claim", "settle"]
    assert "running 30 scripts with a worker, 1 at a time" in done.stderr
    if not pyanamo.table.startswith(SQLITE):
        assert rows[-1][0] == "item, altogether"
        assert rows[-1][2].startswith("USD 5.0")
        assert rows[-1][6] == "8.00"
        assert "at the list price on demand of us-east-1" in done.stderr


def test_without_a_bucket_the_rest_is_measured(on_aws: Program) -> None:
    """None was given, or there is none of that name: that is said."""
    for of, why in (
        (replace(on_aws, env={**on_aws.env, "S3_BUCKET": ""}), "there is no bucket for the output"),
        (replace(on_aws, env={**on_aws.env, "S3_BUCKET": "no-such-bucket"}), "bucket 'no-such-bucket' does not exist"),
    ):
        done = of.run("bench", *SMALL)

        assert done.returncode == 0
        assert f"output is not measured: {why}" in " ".join(done.stderr.split())
        assert "worker" in done.stdout
        assert "stream" not in done.stdout


def test_further_indexes_are_paid_for(on_aws: Program) -> None:
    """What is measured has the shards and indexes of the table."""
    index = {
        "IndexName": "TaskIndex",
        "KeySchema": [{"AttributeName": "taskID", "KeyType": "HASH"}],
        "Projection": {"ProjectionType": "ALL"},
    }
    file = on_aws.folder / "indexes.json"
    file.write_text(json.dumps([index]))
    on_aws("table", "create", "--shards", "2", "--indexes", file)
    said = json.loads(on_aws("bench", "--json", *SMALL))

    assert said["write_units_per_item"] == 11  # each of three writes writes that too


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_stopped_it_leaves_nothing(pyanamo: Program, start: Start, number: signal.Signals) -> None:
    """As soon as there is something to leave, and in the middle of an upload."""
    pyanamo("table", "create")
    before = traces(pyanamo)
    for moment in ("-bench", "Task_0/"):
        bench = start("bench", "--items", "50", "--output", "1GiB")
        until(lambda moment=moment: any(moment in trace for trace in traces(pyanamo)))  # type: ignore[misc]
        bench.send_signal(number)

        assert bench.wait(timeout=60) == 128 + number
        assert traces(pyanamo) == before


def test_nobody_listens_and_nothing_is_left(pyanamo: Program) -> None:
    """As with `2>&1 | head`, or on a terminal that was closed: the figures come all the same."""
    pyanamo("table", "create")
    before = traces(pyanamo)
    nobody, stderr = os.pipe()
    os.close(nobody)
    with os.fdopen(stderr) as closed:
        bench = pyanamo.start("bench", *SMALL, stderr=closed.fileno())

    assert bench.wait(timeout=60) == 0
    assert traces(pyanamo) == before


def test_what_is_left_of_a_killed_one_the_next_removes(pyanamo: Program, start: Start) -> None:
    """It says so; while the first lives, it is refused."""
    pyanamo("table", "create")
    (pyanamo.folder / "logs" / "PyAnamo").mkdir(parents=True)
    before = traces(pyanamo)
    killed = start("bench", "--items", "50", "--output", "1GiB")
    until(lambda: any("Task_0/" in trace for trace in traces(pyanamo)))
    refused = pyanamo.run("bench", *SMALL)
    killed.kill()
    killed.wait()
    assert any("-bench" in trace for trace in traces(pyanamo))
    done = pyanamo.run("bench", *SMALL)

    assert refused.returncode == 2
    assert "another bench is running" in refused.stderr
    assert done.returncode == 0, done.stderr
    assert "removing what a killed bench left behind" in done.stderr
    assert traces(pyanamo) == before


def test_a_table_of_that_name_is_not_touched(pyanamo: Program) -> None:
    """If no bench made it."""
    theirs = pyanamo.table.replace(".db", "-bench.db") if SQLITE in pyanamo.table else f"{pyanamo.table}-bench"
    of = replace(pyanamo, table=theirs, env={**pyanamo.env, "PYANAMO_TABLE": theirs})
    of.import_rows("theirs|s|true")
    before = of.rows()
    refused = pyanamo.run("bench", *SMALL)

    assert refused.returncode == 2
    assert f"there is a table {theirs} already, and no bench created it" in refused.stderr
    pyanamo("table", "create")
    assert "nothing is left behind" in pyanamo.run("doctor", "--remove").stderr
    assert of.rows() == before


@pytest.mark.parametrize(
    "flags",
    [("--output", "0"), ("--output", "much"), ("--items", "0"), ("-i", "0")],
    ids=" ".join,
)
def test_nonsense_is_refused(on_sqlite: Program, flags: tuple[str, str]) -> None:
    """By the name of the flag, before anything is made."""
    done = on_sqlite.run("bench", *flags)

    assert (done.returncode, done.stdout) == (2, "")
    assert flags[0] in done.stderr
    assert list(on_sqlite.folder.iterdir()) == []


def traces(of: Program) -> list[str]:
    """List all that can be left: files and folders; tables, objects and uploads; looked at from outside."""
    files = [str(path) for path in of.folder.rglob("*")]
    if of.table.startswith(SQLITE):
        return sorted(file for file in files if not file.endswith(("-wal", "-shm")))
    s3: Any = of.client("s3")
    tables = [name for name in of.client("dynamodb").list_tables()["TableNames"] if name.startswith(of.table)]
    objects = s3.list_objects_v2(Bucket=of.bucket).get("Contents", [])
    uploads = s3.list_multipart_uploads(Bucket=of.bucket).get("Uploads", [])
    return sorted([*files, *tables, *(each["Key"] for each in (*objects, *uploads))])

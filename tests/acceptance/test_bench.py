"""Users measure their own table and bucket: the figures are there, their items are not touched, and nothing is left."""

from __future__ import annotations

import json
import signal
from dataclasses import replace
from typing import Any

import pytest

from harness.program import SQLITE, Program, until

SMALL = ("--items", "30", "-i", "4", "--output", "1MiB")


def test_figures_are_shown_and_nothing_is_left(on_sqlite: Program) -> None:
    """A file costs nothing, and a table that is missing is no obstacle."""
    before = traces(on_sqlite)
    report = json.loads(on_sqlite("bench", "--json", *SMALL))
    lines = [line.split("\t")[0] for line in on_sqlite("bench", *SMALL).splitlines()]

    assert all(report[f"{each}_per_second"] > 0 for each in ("imported", "run", "output_bytes"))
    assert (report["units_per_item"], report["usd_per_million_items"]) == (None, None)
    assert lines == ["import", "worker", "output"]
    assert traces(on_sqlite) == before


def test_an_item_costs_what_the_service_says(on_aws: Program) -> None:
    """With the indexes of the table; DynamoDB Local names the units of single requests, not those of batches."""
    index = {
        "IndexName": "TaskIndex",
        "KeySchema": [{"AttributeName": "taskID", "KeyType": "HASH"}],
        "Projection": {"ProjectionType": "ALL"},
    }
    file = on_aws.folder / "indexes.json"
    file.write_text(json.dumps([index]))
    plain = json.loads(on_aws("bench", "--json", "--items", "1", "-i", "1", "--output", "1MiB"))
    on_aws("table", "create", "--shards", "2", "--indexes", file)
    before = traces(on_aws)
    indexed = json.loads(on_aws("bench", "--json", "--items", "1", "-i", "1", "--output", "1MiB"))
    units = plain["units_per_item"]

    assert 8 <= units["write"] < 30  # and the worker's own row
    assert plain["usd_per_million_items"] == pytest.approx(units["write"] * 0.625 + units["read"] * 0.125)
    assert indexed["units_per_item"]["write"] == units["write"] + 3  # each write of the item writes that too
    assert traces(on_aws) == before


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_stopped_in_the_middle_it_leaves_nothing_for_good(pyanamo: Program, number: signal.Signals) -> None:
    """A signal lets it clean up; what is left of a killed one, the next removes."""
    pyanamo("table", "create")
    (pyanamo.folder / "logs" / "PyAnamo").mkdir(parents=True)
    before = traces(pyanamo)
    bench = pyanamo.start("bench", "--items", "50", "--output", "1GiB")
    try:
        until(lambda: any("Task_0/" in trace for trace in traces(pyanamo)))
    finally:
        bench.send_signal(number)
        status = bench.wait(timeout=60)
    if number == signal.SIGKILL:
        assert any("-bench" in trace for trace in traces(pyanamo))
        pyanamo("bench", *SMALL)
    else:
        assert status == 128 + number

    assert traces(pyanamo) == before


def test_a_table_of_that_name_is_not_touched(on_sqlite: Program) -> None:
    """If no bench made it; and people are told what to type."""
    theirs = on_sqlite.table.replace(".db", "-bench.db")
    of = replace(on_sqlite, table=theirs, env={**on_sqlite.env, "PYANAMO_TABLE": theirs})
    for rows in ((), ("theirs|s|true",)):
        if rows:
            of.import_rows(*rows)
        else:
            of("table", "create")
        refused = on_sqlite.run("bench", *SMALL)

        assert refused.returncode == 2
        assert f"there is a table {theirs} already, and no bench created it" in refused.stderr
        assert f"`pyanamo table delete -t {theirs}`" in refused.stderr
    assert list(of.rows()) == ["theirs"]


@pytest.mark.parametrize("flags", [("--output", "0"), ("--output", "much"), ("--items", "0")], ids=" ".join)
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

"""What attempts used, as tables, notebooks and GNU parallel read it."""

from __future__ import annotations

import csv
import json
from typing import Any

from harness.program import Program

USAGE = {"Status", "Started", "Finished", "Seconds", "CPU_Seconds", "Worker", "Attempt"}


def test_a_trace_tells_what_stands_in_the_records(pyanamo: Program) -> None:
    """A row for each task that ran, its values those of the record; every format has the same rows."""
    pyanamo.import_rows("ok|s1|sleep 0.2; seq 5", "bad|s2|exit 3", "dead|s2|kill -9 $$")
    pyanamo.import_rows("n|s1|seq|3,4", header="itemID|TaskID|TaskScript|TaskArgs")
    pyanamo("run", "--max-failures", "1", code=3)
    stored = {item: row["Log"] for item, row in pyanamo.rows().items()}
    records = {(item, "Task_0"): stored[item] for item in ("ok", "bad", "dead")}
    records |= {("n", task): record for task, record in stored["n"].items()}

    rows = {(row["itemID"], row["Task"]): row for row in map(json.loads, pyanamo("trace", "--jsonl").splitlines())}
    table = {(row["itemID"], row["Task"]): row for row in tabbed(pyanamo("trace"))}
    log = {row["Command"]: row for row in tabbed(pyanamo("trace", "--joblog"))}

    assert records.keys() == rows.keys() == table.keys()
    for key, row in rows.items():
        told = row.keys() & records[key].keys()
        assert told >= USAGE
        assert {name: row[name] for name in told} == {name: plain(records[key][name]) for name in told}
        assert table[key] == {name: "" if value is None else str(value) for name, value in row.items()}
    assert 0.2 <= rows["ok", "Task_0"]["Seconds"] < 5
    assert (log["exit 3"]["Exitval"], log["kill -9 $$"]["Signal"]) == ("3", "9")
    assert sorted(row["Seq"] for row in log.values()) == ["1", "2", "3", "4", "5"]
    assert len(tabbed(pyanamo("trace", "--sample", "s1"))) == 3


def tabbed(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(text.splitlines(), delimiter="\t"))


def plain(value: Any) -> Any:  # noqa: ANN401 # a value as DynamoDB or SQLite has it
    return value if isinstance(value, str | int) else float(value)

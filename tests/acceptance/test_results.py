"""Results of a table are the same on both foundations, wherever their lines are."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

from harness.program import Program

TAG = r"printf 'PyAnamo:\t%s\t%s\n' $PYANAMO_SAMPLE"
MANY = 300  # more than a record has room for
ROWS = (
    f"small|s1|{TAG} 1",
    f"large|s2|seq 20000; for n in $(seq {MANY}); do {TAG} $n; done",
    f"odd|s3|{TAG} x; exit 0",
)


def test_results_and_an_export_agree(pyanamo: Program, tmp_path: Path) -> None:
    """Lines of small output and of stored output, the latter all of them; the odd one is told apart."""
    pyanamo.import_rows(*ROWS)
    pyanamo("run")
    said = pyanamo.run("results", "--jsonl", "--tag-names", "SampleID,number:int")
    found = sorted((row["itemID"], row["number"]) for row in map(json.loads, said.stdout.splitlines()))
    pyanamo.run("export", "--to", "results.db", "--tag-names", "SampleID,number:int", "--sample", "s1")
    with sqlite3.connect(tmp_path / "results.db") as database:
        [exported] = database.execute("SELECT itemID, Status, SampleID, number FROM tasks").fetchall()
    shown = pyanamo("results", "--wide", "--tsv", "--sample", "s1").splitlines()

    assert (said.returncode, said.stderr.count("does not fit: odd Task_0: number is 'x', not of type int")) == (3, 1)
    assert found == [*(("large", number) for number in range(1, MANY + 1)), ("small", 1)]
    assert exported == ("small", "Succeeded", "s1", 1)
    assert shown == ["taskID\titemID\tTask\tArgument\ttag_1\ttag_2", "s1\tsmall\tTask_0\t\ts1\t1"]


def test_items_are_listed_and_sorted_alike(pyanamo: Program) -> None:
    """By a field that the index has, and by one that it has not."""
    pyanamo.import_rows(*ROWS)
    pyanamo("run")

    for field, first in (("Log_Length", "large"), ("id", "large"), ("TaskScript", "small")):
        assert pyanamo("list", "--columns", f"itemID,{field}", "--sort", field).splitlines()[1].split("\t")[0] == first
    assert pyanamo("trace", "--sort", "stdout_bytes", "--limit", "1", "--jsonl").count("large") == 1

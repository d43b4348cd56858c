"""Imports as they are measured: the smaller version of `python -m benchmarks.importing`, without its times."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from benchmarks.importing import batch_writer, pyanamo, write_items
from harness.program import PATIENCE_S, Program, Row, program

ITEMS = 2_500  # more than two batches, and the last one not full
SCRIPT = "bash call.sh"


@pytest.fixture(params=["sqlite:step.db", "dynamodb"])
def step(request: pytest.FixtureRequest, tmp_path: Path) -> Program:
    """A program with a table that is there, on each store in turn."""
    on_sqlite = request.param.startswith("sqlite:")
    env = {} if on_sqlite else request.getfixturevalue("aws_env")
    name = request.param if on_sqlite else request.getfixturevalue("table")
    made = program(tmp_path, table=name, bucket="file:logs", env=env)
    made("table", "create")
    return made


def test_of_imports_at_once_each_item_is_added_by_one(step: Program) -> None:
    """All items are there, as the file has them, and none was taken for added twice."""
    file = write_items(step.folder, SCRIPT, ITEMS)
    command = [*pyanamo(step, file), "--json"]
    importers = [
        subprocess.Popen(command, cwd=step.folder, env=step.env, stdout=subprocess.PIPE, text=True) for _ in range(3)
    ]
    said = [json.loads(each.communicate(timeout=PATIENCE_S)[0]) for each in importers]

    assert sum((Counter({what: each[what] for what in ("added", "skipped")}) for each in said), Counter()) == {
        "added": ITEMS,
        "skipped": 2 * ITEMS,
    }
    assert {item_id: row["TaskScript"] for item_id, row in step.rows().items()} == scripts_of(file)
    assert step.status()["items"]["todo"] == ITEMS


def test_batch_writer_writes_the_rows_that_an_import_writes(
    tmp_path: Path, table: str, aws_env: dict[str, str]
) -> None:
    """What is compared does the same work: the same rows, but for what is random: marks, and the end of places."""
    rows: list[dict[str, Row]] = []
    file = write_items(tmp_path, SCRIPT, 60)
    for number, command in enumerate((pyanamo, batch_writer)):
        filled = program(tmp_path, table=f"{table}-{number}", bucket="file:logs", env=aws_env)
        filled("table", "create")
        subprocess.run(
            command(filled, file), cwd=tmp_path, env=filled.env, stdout=sys.stderr, check=True, timeout=PATIENCE_S
        )
        rows.append(
            {
                name: row | {"Queue_Key": row["Queue_Key"][:2], "Mark": len(row["Mark"])}
                for name, row in filled.rows().items()
            }
        )

    assert len(rows[0]) == 60
    assert rows[0] == rows[1]


def scripts_of(file: Path) -> dict[str, str]:
    """Read a task file: scripts by id."""
    lines = [line.split("|") for line in file.read_text().splitlines()[1:]]
    return {item_id: script for item_id, _, script in lines}

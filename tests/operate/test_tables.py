"""Index files for DynamoDB tables."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pyanamo_async.errors import UsageError
from pyanamo_async.operate.tables import read_indexes

INDEX = {"IndexName": "ItemStateIndex", "KeySchema": [], "Projection": {"ProjectionType": "ALL"}}


@pytest.mark.parametrize("content", [[INDEX], {"GlobalSecondaryIndexes": [INDEX]}])
def test_indexes_are_a_list_as_dynamodb_has_it(tmp_path: Path, content: object) -> None:
    """The original's file is such a list; the output of describe-table has it under a name."""
    path = tmp_path / "indexes.json"
    path.write_text(json.dumps(content))

    assert read_indexes(path) == [INDEX]


@pytest.mark.parametrize("content", ["", "{}", "[1]", '[{"Name": "x"}]', '"x"'])
def test_anything_else_is_refused(tmp_path: Path, content: str) -> None:
    """Before the table is created."""
    path = tmp_path / "indexes.json"
    path.write_text(content)

    with pytest.raises(UsageError, match=r"indexes\.json"):
        read_indexes(path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    """With why it cannot be read."""
    with pytest.raises(UsageError, match=r"`indexes` cannot be read from .*missing\.json: No such file"):
        read_indexes(tmp_path / "missing.json")

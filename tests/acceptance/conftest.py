"""The program on its two foundations: SQLite with a folder, DynamoDB with S3."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.program import Program, program


@pytest.fixture
def on_sqlite(tmp_path: Path) -> Program:
    """The program with the embedded default."""
    return program(tmp_path, table="sqlite:step.db", bucket="file:logs", env={})


@pytest.fixture
def on_aws(tmp_path: Path, table: str, bucket: str, aws_env: dict[str, str]) -> Program:
    """The program with a table of DynamoDB and a bucket of S3."""
    return program(tmp_path, table=table, bucket=bucket, env=aws_env)


@pytest.fixture(params=["on_sqlite", "on_aws"])
def pyanamo(request: pytest.FixtureRequest) -> Program:
    """The program, on each foundation in turn."""
    found: Program = request.getfixturevalue(request.param)
    return found

"""Real input: every file of the standard library is counted and hashed, and every record is checked.

`make big` does both on both foundations, `make test` each on one.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import sysconfig
from collections import Counter
from pathlib import Path

import pytest

from harness.program import ROOT, Program

LIBRARY = Path(sysconfig.get_path("stdlib"))
MANY = 1500
FULL = "PYANAMO_TEST_BIG" in os.environ


@pytest.mark.parametrize("pyanamo", ["on_sqlite", "on_aws"] if FULL else ["on_sqlite"], indirect=True)
def test_each_file_is_counted_and_hashed(pyanamo: Program) -> None:
    """With eight at a time, what is recorded for each file is what it truly has."""
    expected = {str(path.relative_to(LIBRARY)): _digest(path) for path in _files()}

    pyanamo("import", _task_file(pyanamo.folder))
    pyanamo("run", "-i", "8")

    assert len(expected) > MANY
    assert expected == {name: row["Log"]["stdout"] for name, row in pyanamo.rows().items()}
    assert pyanamo.status()["items"]["done"] == len(expected)


@pytest.mark.parametrize("pyanamo", ["on_sqlite", "on_aws"] if FULL else ["on_aws"], indirect=True)
def test_each_package_is_counted_and_hashed_file_by_file(pyanamo: Program) -> None:
    """As nested items the same files give the same results, each in a task of its own."""
    expected = Counter(_digest(path) for path in _files())

    pyanamo("import", "--nested", _task_file(pyanamo.folder, "--nested"))
    pyanamo("run", "-i", "2", "-n", "4")

    rows = pyanamo.rows()
    assert expected == Counter(record["stdout"] for row in rows.values() for record in row["Log"].values())
    assert {row["taskID"] for row in rows.values()} == {_package(path) for path in _files()}
    assert pyanamo.status()["tasks"]["done"] == expected.total()


def _files() -> list[Path]:
    return [path for path in LIBRARY.rglob("*.py") if "site-packages" not in path.parts]


def _package(path: Path) -> str:
    return ".".join(path.relative_to(LIBRARY).parts[:-1]) or "stdlib"


def _digest(path: Path) -> str:
    content = path.read_bytes()
    lines = content.count(b"\n")
    return f"{lines}\n{hashlib.sha256(content).hexdigest()}  -\n"


def _task_file(folder: Path, *options: str) -> Path:
    generator = ROOT / "examples/stdlib/items.py"
    file = folder / "stdlib.txt"
    with file.open("w") as output:
        subprocess.run([sys.executable, generator, *options], stdout=output, check=True)
    return file

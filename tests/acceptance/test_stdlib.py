"""Real input: files of the standard library are counted and hashed, and every record is checked.

`make big` does it with all of them, single and nested, on both foundations; `make slow` with those of every fourth
package, single on one and nested on the other.
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
FULL = "PYANAMO_TEST_BIG" in os.environ
EVERY, MANY = (1, 1500) if FULL else (4, 150)


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
    files = [path for path in LIBRARY.rglob("*.py") if "site-packages" not in path.parts]
    wanted = set(sorted({_package(path) for path in files})[::EVERY])
    return [path for path in files if _package(path) in wanted]


def _package(path: Path) -> str:
    return ".".join(path.relative_to(LIBRARY).parts[:-1]) or "stdlib"


def _digest(path: Path) -> str:
    content = path.read_bytes()
    lines = content.count(b"\n")
    return f"{lines}\n{hashlib.sha256(content).hexdigest()}  -\n"


def _task_file(folder: Path, *options: str) -> Path:
    generator = ROOT / "examples/stdlib/items.py"
    command = [sys.executable, str(generator), *options]
    header, *lines = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout.splitlines()
    wanted = {_package(path) for path in _files()}
    file = folder / "stdlib.txt"
    file.write_text("\n".join([header, *(line for line in lines if line.split("|")[1] in wanted)]))
    return file

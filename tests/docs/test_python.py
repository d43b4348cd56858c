"""Python programs of the documentation run as they are shown."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.docs import api_reference
from tests.docs.pages import DOCS, blocks, codes, rows

PYTHON = DOCS / "guide" / "python.md"


RESULTS = DOCS / "guide" / "results.md"


@pytest.mark.parametrize(
    "code",
    [*blocks(PYTHON, "python"), *blocks(RESULTS, "python")],
    ids=["a table", "a samplesheet", "a table in memory", "results with pandas", "results with DuckDB"],
)
def test_a_program_of_the_guide_runs(code: str, tmp_path: Path) -> None:
    """In an empty folder, to its end; it prints what the comments of the page say."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        cwd=tmp_path,
        check=True,
        timeout=60,
        stdout=subprocess.PIPE,
        text=True,
    )

    assert [said for said in re.findall(r"print\(.*\)  # (.*)", code) if said not in done.stdout] == []


def test_the_methods_of_the_guide_exist() -> None:
    """Each name in the table of calls is a method of a table, and each method is there."""
    from pyanamo_async import Table

    named = {word for row in rows(PYTHON.read_text())[1:] for word in codes(row[1])}
    methods = {name for name in dir(Table) if not name.startswith("_") and callable(getattr(Table, name))}

    assert methods == named


def test_the_reference_of_the_python_api_is_up_to_date() -> None:
    """`make docs` would write what the page already says; it has every public name."""
    assert api_reference.page() == api_reference.PAGE.read_text()

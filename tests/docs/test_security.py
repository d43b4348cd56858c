"""Each promise of the page on security is kept by a test that exists."""

from __future__ import annotations

import ast

import pytest

from harness.program import ROOT
from tests.docs.pages import DOCS, codes, rows, section

PAGE = DOCS / "explanation/security.md"
PROMISES = rows(section(PAGE, "What is promised, and the test that keeps it"))[1:]


def test_there_are_promises() -> None:
    """The table is read as it stands."""
    assert len(PROMISES) > 10


@pytest.mark.parametrize("named", [name for cells in PROMISES for name in codes(cells[1])])
def test_a_promise_has_its_test(named: str) -> None:
    """By file and name; a test that is renamed takes its promise along."""
    file, _, name = named.partition("::")
    functions = {
        each.name
        for each in ast.walk(ast.parse((ROOT / file).read_text()))
        if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef)
    }

    assert name in functions


@pytest.mark.parametrize("cells", PROMISES, ids=lambda cells: cells[0][:40])
def test_every_promise_names_a_test(cells: list[str]) -> None:
    """One at least."""
    assert any(code.startswith("tests/") for code in codes(cells[1]))

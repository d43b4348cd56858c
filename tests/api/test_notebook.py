"""The notebook in `examples/` does what it says."""

from __future__ import annotations

import ast
import inspect
import json
from pathlib import Path
from typing import Any

import pytest

NOTEBOOK = Path(__file__).parents[2] / "examples" / "api.ipynb"


async def run_cells(notebook: Path) -> dict[str, Any]:
    """Execute the code cells in order, with `await` at the top level as notebooks allow, and return their names."""
    names: dict[str, Any] = {}
    for cell in json.loads(notebook.read_text())["cells"]:
        if cell["cell_type"] == "code":
            source = "".join(cell["source"])
            code = compile(source, cell["id"], "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
            if inspect.iscoroutine(running := eval(code, names)):  # noqa: S307 - our own notebook
                await running
    return names


async def test_the_notebook_runs(capsys: pytest.CaptureFixture[str]) -> None:
    """From rows to results, as users run it."""
    names = await run_cells(NOTEBOOK)
    said = capsys.readouterr().out

    assert (names["result"].done, names["result"].failed, names["result"].exit_status) == (6, 1, 3)
    assert [each.item_id for each in names["failed"]] == ["broken"]
    assert len(names["trace"]) == 8
    assert sorted(row["reads"] for row in names["results"]) == [1000, 2000, 3000, 4000, 5000]
    assert "merge Task_0: no tag" in said
    assert "7 items added, 8 tasks" in said
    assert "broken attempt 1: exit status 2: no reference" in said
    assert "4\n5\n6\n" in said
    assert names["message"].startswith("`lease` 3m is shorter than three times `heartbeat`, which is 2m.")

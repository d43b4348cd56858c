"""Where scripts find themselves."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from harness.program import Program


@pytest.mark.parametrize("known", ["", "/", "/no/such/folder", "."])
def test_scripts_are_told_the_folder_they_are_in(on_sqlite: Program, known: str) -> None:
    """Whatever the worker was told itself: with a shell and, as plain commands, without one."""
    env = {name: value for name, value in on_sqlite.env.items() if name != "PWD"} | ({"PWD": known} if known else {})
    here = replace(on_sqlite, env=env)
    here.import_rows("plain|s|printenv PWD", "shell|s|echo $PWD")

    here("run")

    told = {name: row["Log"]["stdout"].strip() for name, row in here.rows().items()}
    assert set(told) == {"plain", "shell"}
    assert {Path(folder).resolve() for folder in told.values()} == {on_sqlite.folder.resolve()}


def test_a_folder_keeps_the_name_it_was_entered_by(pyanamo: Program, tmp_path: Path) -> None:
    """As in a shell: a link is not followed."""
    link = tmp_path / "link"
    link.symlink_to(pyanamo.folder)
    linked = replace(pyanamo, folder=link, env={**pyanamo.env, "PWD": str(link)})
    linked.import_rows("plain|s|printenv PWD", "shell|s|echo $PWD")

    linked("run")

    assert {row["Log"]["stdout"].strip() for row in linked.rows().values()} == {str(link)}

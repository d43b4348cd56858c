"""Command lines of the documentation can be typed as they are shown."""

from __future__ import annotations

import re
import subprocess
from contextlib import suppress
from importlib.util import find_spec

import pytest
import typer

from harness.program import ROOT
from tests.docs.cli_reference import find, leaves, page, root
from tests.docs.pages import GENERATED, PAGES, README, command_lines


def _typed(program: str) -> list[list[str]]:
    lines = {tuple(words) for each in PAGES for words in command_lines(each, program)}
    return [list(words) for words in sorted(lines)]


@pytest.mark.parametrize("words", _typed("pyanamo"), ids=" ".join)
def test_a_command_line_of_the_documentation_is_understood(words: list[str]) -> None:
    """Its command exists, and so has every option and argument that is shown."""
    command, rest = find(words[1:])

    with suppress(typer.Exit):  # --version prints and is done
        command.make_context(" ".join(words), list(rest))


@pytest.mark.parametrize("words", _typed("make"), ids=" ".join)
def test_a_make_target_of_the_documentation_exists(words: list[str]) -> None:
    """Make knows how it would do it."""
    targets = [word for word in words[1:] if "=" not in word]

    subprocess.run(["make", "--dry-run", *targets], cwd=ROOT, stdout=subprocess.DEVNULL, check=True)


def test_modules_that_the_documentation_runs_exist() -> None:
    """`python -m NAME` finds them."""
    named = {found for each in PAGES for found in re.findall(r"python -m ([a-z][\w.]*)", each.read_text())}

    assert {found for found in named if find_spec(found) is None} == set()


def test_the_documentation_shows_every_command() -> None:
    """Each command is shown in use somewhere outside its reference."""
    shown = {" ".join(words) for words in _typed("pyanamo")}

    assert [
        path
        for path, _ in leaves(root())
        if not any(f"{line} ".startswith(f"pyanamo {' '.join(path)} ") for line in shown)
    ] == []


def test_the_readme_shows_the_way() -> None:
    """It begins with two commands of make, then imports, runs, looks and reads."""
    assert command_lines(README, "make") == [["make", "demo"], ["make", "test"]]
    assert {words[1] for words in command_lines(README, "pyanamo")} >= {"import", "run", "status", "show", "logs"}


def test_the_reference_of_the_command_line_is_up_to_date() -> None:
    """`make docs` would write what the page already says."""
    assert page() == GENERATED.read_text()

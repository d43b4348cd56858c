"""Flags: how their values are parsed, and how errors of the API name them."""

from __future__ import annotations

import ast
import re
from datetime import timedelta

import pytest
import typer

from pyanamo_async.cli import flags
from pyanamo_async.cli.flags import FLAGS, name_flags
from tests.api.test_imports import PACKAGE, strings
from tests.cli.conftest import Cli

ONLY_IN_NOTEBOOKS = {"on_misfit", "rows", "selection", "stream", "streams"}
COMMANDS = [
    *("import", "run", "list", "logs", "results", "export", "reset", "set", "cancel", "bench", "doctor", "status"),
    *("samples", "wait", "report"),
    *("batch submit", "workers drain", "table create", "table delete", "table provision", "table autoscale"),
    "table last-attempts",
]


def test_arguments_of_the_api_become_flags() -> None:
    """With the variable where there is one; commands in backticks stay."""
    said = "`lease` 9s is short, says `pyanamo run` of `table`; see `on_exit`"

    assert name_flags(said) == "--lease 9s is short, says `pyanamo run` of --table (PYANAMO_TABLE); see --on-exit"


def test_every_argument_that_an_error_names_is_a_flag_of_a_command(cli: Cli) -> None:
    """And so is its variable; some arguments only a notebook can get wrong."""
    helps = " ".join(cli(*command.split(), "--help").out for command in COMMANDS)
    arguments = {
        word
        for path in PACKAGE.rglob("*.py")
        if not {"cli", "fields.py"} & {*path.relative_to(PACKAGE).parts}  # fields of expressions are no arguments
        for text in strings(ast.parse(path.read_text()))
        for word in re.findall(r"`([a-z_]+)`", text)
    }
    named = " ".join(name_flags(f"`{each}`") for each in {*FLAGS, *arguments - ONLY_IN_NOTEBOOKS})
    words = re.findall(r"--[a-z-]+|[A-Z0-9_]{5,}", named)

    assert {word for word in words if word not in helps} == set()


@pytest.mark.parametrize("text", ["", "5", "5s", "..", "1s..", "..1s", "1s..x", "1s-10m"])
def test_a_backoff_is_a_range_of_durations(text: str) -> None:
    """Both ends must be there."""
    assert flags.duration_range("0..10m") == flags.Range(timedelta(), timedelta(minutes=10))
    with pytest.raises(typer.BadParameter, match=r"'x' is not a duration" if "x" in text else r"write MIN\.\.MAX, as"):
        flags.duration_range(text)


@pytest.mark.parametrize(
    ("argv", "says"),
    [
        (["--lease", "soon"], "'--lease' (env var: 'PYANAMO_LEASE'): 'soon' is not a duration"),
        (["--spool-memory", "much"], "'--spool-memory' (env var: 'PYANAMO_SPOOL_MEMORY'): 'much' is not a size"),
        (["--backoff", "1s"], "'--backoff'"),
        (["--heartbeat", "0"], "--heartbeat is zero"),
        (["--lease", "30s"], "--lease 30s is shorter than three times --heartbeat, which is 20s"),
        (["--backoff", "2s..1s"], "--backoff is above its maximum"),
        (["--min-remaining", "2h", "-w", "1h"], "--min-remaining 2h leaves nothing of the wall time"),
        (["--on-exit", "75"], "--on-exit '75' is not a rule"),
        (["--on-exit", "75=retry,75=fail"], "--on-exit says both retry and fail of 75"),
        (["--shell", "/no/such/shell"], "--shell /no/such/shell is no program"),
        (["--shell", "nosuch -euo pipefail"], "--shell nosuch is no program"),
        (["--shell", "bash 'x"], "--shell bash 'x has an unclosed quote"),
        (["--grace", "1h", "--timeout", "0s"], "--timeout is zero"),
    ],
)
def test_invalid_values_are_refused_by_the_name_of_their_flag(cli: Cli, argv: list[str], says: str) -> None:
    """Before anything is opened."""
    said = cli("run", *argv)

    assert (said.status, said.out) == (2, "")
    assert says in " ".join(said.err.split())

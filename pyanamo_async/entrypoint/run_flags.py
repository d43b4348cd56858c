"""What `pyanamo run` takes: its variables, and whether flags and variables are valid."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import typer

from pyanamo_async.cli.main import DEBUG, invalid_usage
from pyanamo_async.cli.program import program
from pyanamo_async.core.text.visible import one_line
from pyanamo_async.errors import UsageError


def run_variables() -> set[str]:
    """Return the variables that `pyanamo run` reads."""
    named = [each.envvar for each in _command().params if getattr(each, "envvar", None)]
    return {DEBUG}.union(*([each] if isinstance(each, str) else each for each in named))


ALSO_FLAGS = {"table": "PYANAMO_TABLE", "bucket": "S3_BUCKET"}


def check_run(flags: Sequence[str]) -> dict[str, str]:
    """Parse flags, and the variables of those that are not given; `--help` prints and exits.

    Returns the table and the bucket that flags name, as the variables that they outrank.

    Raises:
        UsageError: a value is invalid, or there is no such flag.
    """
    try:
        context = _command().make_context("pyanamo run", list(flags))
    except typer.Exit as ended:
        raise SystemExit(ended.exit_code) from None
    except invalid_usage() as error:
        raise UsageError(
            one_line(getattr(error, "format_message", error.__str__)()).rstrip("."), hint="pyanamo run --help"
        ) from None
    given = {name for name in ALSO_FLAGS if context.get_parameter_source(name).name == "COMMANDLINE"}
    return {ALSO_FLAGS[name]: str(context.params[name]) for name in given}


def _command() -> Any:  # noqa: ANN401 - of click, which typer hides
    group: Any = typer.main.get_command(program("run"))
    return group.commands["run"]

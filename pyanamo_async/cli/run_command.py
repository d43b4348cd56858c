"""The command line of `pyanamo run`, which `pyanamo batch submit` takes, too: variables of flags, and a lone option."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from typer.core import TyperOption

from pyanamo_async.cli.standing_alone import standing_alone

LogGroupMayBeLeftOut: Any = standing_alone("--cloudwatch", without="", takes=lambda word: not word.startswith("-"))


def variable(opts: Sequence[str]) -> str:
    """Return the variable of a flag that has no other: of `--max-failures` it is PYANAMO_MAX_FAILURES."""
    return f"PYANAMO_{max(opts, key=len).strip('-').replace('-', '_').upper()}"


class RunCommand(LogGroupMayBeLeftOut):  # type: ignore[misc] # it is made by a function
    """Each of its flags has a variable: a container gets those."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - typer's
        super().__init__(*args, **kwargs)
        for each in self.params:
            if isinstance(each, TyperOption) and not each.envvar:
                each.envvar = variable(each.opts)

"""Pass options of `pyanamo run` on to workers elsewhere, as the environment variables that a worker reads.

Options are passed on as they were typed, after they were parsed here as `run` parses them. Variables of this shell are
not passed on, because they are about this machine.
"""

from __future__ import annotations

import inspect
from typing import Any

import typer
from typer.core import TyperCommand

from pyanamo_async.cli.run_options import (
    LogGroupMayBeLeftOut,
    failure_policy,
    output_settings,
    variable,
    worker_settings,
)

TYPED = "pyanamo typed"
OF_RUN = {"no_task_credentials"} | {
    name for make in (worker_settings, failure_policy, output_settings) for name in inspect.signature(make).parameters
}


class _Remembering(TyperCommand):
    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:  # noqa: ANN401 - the type is private to typer
        """Parse the command line, and remember it as it was typed."""
        typed, _, _ = self.make_parser(ctx).parse_args(args=[*args])
        ctx.meta[TYPED] = typed
        return super().parse_args(ctx, args)


class HandingOn(LogGroupMayBeLeftOut, _Remembering):  # type: ignore[misc] # one base is made by a function
    """A command that remembers what was typed, for `handed_on`."""


def handed_on(ctx: typer.Context) -> dict[str, str]:
    """Return the variables of the options of `run` that were typed."""
    typed = ctx.meta[TYPED]
    return {
        variable(each.opts): _text(typed[each.name])
        for each in ctx.command.params
        if each.name in OF_RUN and each.name in typed
    }


def _text(value: object) -> str:
    return "1" if value is True else str(value)

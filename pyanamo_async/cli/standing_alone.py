"""An option that people type with a value or without one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from typer.core import TyperCommand


def standing_alone(*flags: str, without: str, takes: Callable[[str], bool]) -> type[TyperCommand]:
    """Return commands in which an option, called by any of `flags`, may stand alone: its value is `without` then.

    What follows it is its value if `takes` says so of the word.
    """

    class Command(TyperCommand):
        def parse_args(self, ctx: Any, args: list[str]) -> list[str]:  # noqa: ANN401 - the type is private to typer
            """Parse the command line."""
            given: list[str] = []
            rest = [*args]
            while rest and rest[0] != "--":
                arg = rest.pop(0)
                if arg in flags:
                    arg = f"{flags[-1]}={rest.pop(0) if rest and takes(rest[0]) else without}"
                given.append(arg)
            return super().parse_args(ctx, given + rest)

    return Command

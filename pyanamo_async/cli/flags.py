"""Flags as people write them: how values are parsed, and what the arguments of the API are called here.

Errors of the API name their arguments in backticks, as in "`lease` is zero"; `name_flags` replaces them by flags.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar

import typer
from typer.core import TyperCommand

from pyanamo_async.core.memory.budget import Auto
from pyanamo_async.core.text.byte_sizes import parse_size
from pyanamo_async.core.text.durations import parse_duration

T = TypeVar("T")
INHERIT, NONE = "inherit", "none"

FLAGS = {
    "all_workers": "--all",
    "args_delimiter": "--nested",
    "backoff_max": "its maximum",
    "backoff_min": "--backoff",
    "bucket": "--bucket (S3_BUCKET)",
    "every": "--watch",
    "forget_memory": "--memory none",
    "heartbeat_file": "--heartbeat-file (PYANAMO_HEARTBEAT_FILE)",
    "ids": "ITEM",
    "items": "--items (PYANAMO_ITEMS)",
    "memory_bytes": "--memory",
    "max_output_bytes": "--max-output",
    "memory_class_bytes": "--memory-class",
    "memory": "--memory (PYANAMO_MEMORY)",
    "max_capacity": "--max",
    "min_capacity": "--min",
    "name": "--as",
    "spool_bytes": "--spool-memory",
    "states": "--state",
    "stream_bytes": "--output",
    "table": "--table (PYANAMO_TABLE)",
    "tags": "--tag",
    "umask": "--umask (PYANAMO_UMASK)",
    "wall_time": "--wall-time (PYANAMO_WALL_TIME)",
    "within": "--for",
}
"""Arguments whose flag has another name, or a variable that an error should mention."""


def name_flags(text: str) -> str:
    """Replace the arguments that an error of the API names by their flags; commands in backticks stay."""
    return re.sub(r"`([a-z_]+)`", lambda found: FLAGS.get(found[1]) or f"--{found[1].replace('_', '-')}", text)


def duration(text: str) -> timedelta:
    """Parse the duration of a flag."""
    return _parse(parse_duration, text)


def size(text: str) -> int:
    """Parse the size of a flag, in bytes."""
    return _parse(parse_size, text)


@dataclass(frozen=True, slots=True)
class KnownSize:
    """A size that is known, in bytes, or None for one that is not."""

    count: int | None


def known_size(text: str) -> KnownSize:
    """Parse the size of a flag, or `none`."""
    return KnownSize(None if text == NONE else size(text))


def items(text: str) -> int | Auto:
    """Parse how many items may run at a time."""
    if text == Auto.AUTO:
        return Auto.AUTO
    try:
        return int(text)
    except ValueError:
        raise typer.BadParameter(f"'{text}' is neither a whole number nor {Auto.AUTO}") from None


def umask(text: str) -> int | None:
    """Parse the umask of a flag: octal digits, or `inherit` for that of this process, which is None."""
    try:
        return None if text == INHERIT else int(text, 8)
    except ValueError:
        raise typer.BadParameter(f"'{text}' is neither a umask like 022 nor {INHERIT}") from None


def tags(texts: Iterable[str]) -> dict[str, str]:
    """Parse tags like `project=genomes`.

    Raises:
        BadParameter: one has no key, or no `=`.
    """
    found = {}
    for text in texts:
        key, equals, value = text.partition("=")
        if not (key and equals):
            raise typer.BadParameter(f"'{text}' is not a tag like project=genomes", param_hint="--tag")
        found[key] = value
    return found


@dataclass(frozen=True, slots=True)
class Range:
    """A range of durations."""

    min: timedelta
    max: timedelta


def duration_range(text: str) -> Range:
    """Parse a range of durations like `1s..10m`."""
    least, dots, most = (part.strip() for part in text.partition(".."))
    if not (least and dots and most):
        raise typer.BadParameter(f"'{text}' is no range of durations: write MIN..MAX, as 1s..10m")
    return Range(duration(least), duration(most))


def _parse(parse: Callable[[str], T], text: str) -> T:
    try:
        return parse(text)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None  # typer adds the flag, and its variable


def standing_alone(*flags: str, without: str, takes: Callable[[str], bool]) -> type[TyperCommand]:
    """Return a class of commands in which the option `flags` may have no value; it is `without` then.

    The word that follows the option is its value if `takes` returns True for it.
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

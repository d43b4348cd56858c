"""Tags: the lines of a task's stdout that begin with `PyAnamo:` and a tab, by which a script reports results."""

from __future__ import annotations

from pyanamo_async.core.capture import MARK
from pyanamo_async.core.items import Output

PREFIX = MARK.decode().lstrip("\n")


def tag_lines(output: Output) -> tuple[str, ...]:
    """Return the tags that a record holds, without their beginning, whether the output was small or large.

    The record of a large output holds its tags, or its tail if it has none, and does not say which: the lines of a tail
    count as tags.
    """
    lines = output.text.split("\n") if output.text else []
    if output.at or output.status:
        return tuple(lines)
    return tuple(line.removeprefix(PREFIX) for line in lines if line.startswith(PREFIX))

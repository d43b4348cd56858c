"""Tags: the lines of a task's stdout that begin with `PyAnamo:` and a tab, by which a script reports results."""

from __future__ import annotations

from pyanamo_async.core.capture import MARK
from pyanamo_async.core.items import Output

PREFIX = MARK.decode().lstrip("\n")


def tag_lines(output: Output) -> tuple[str, ...]:
    """Return the tags that a record holds, without their beginning, whether the output was small or large.

    The record of a large output holds its tags, the last `tags_cut` of them cut or missing, or its tail if it has none.
    """
    lines = output.text.split("\n")
    is_whole = not (output.at or output.status) or len(output.text.encode()) == output.size_bytes
    if is_whole:
        return tuple(line.removeprefix(PREFIX) for line in lines if line.startswith(PREFIX))
    return tuple(lines) if output.tags else ()

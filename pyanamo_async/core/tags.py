"""Tags: the lines of a task's stdout that begin with `PyAnamo:` and a tab, by which a script reports results."""

from __future__ import annotations

from pyanamo_async.core.capture import MARK
from pyanamo_async.core.items import Output

BEGINNING = MARK.removeprefix(b"\n")
PREFIX = BEGINNING.decode()
LONGEST_TAG = 64 << 10  # bytes; the rest of a longer line is left out


def tag_lines(output: Output) -> tuple[str, ...]:
    """Return the tags that a record holds, without their beginning, whether the output was small or large.

    The record of a large output holds its tags, the last `tags_cut` of them cut or missing, or its tail if it has none.
    """
    lines = output.text.split("\n")
    is_whole = not (output.at or output.status) or len(output.text.encode()) == output.size_bytes
    if is_whole:
        return tuple(line.removeprefix(PREFIX) for line in lines if line.startswith(PREFIX))
    return tuple(lines) if output.tags else ()


def all_tags(output: Output) -> tuple[str, ...] | None:
    """Return all tags of an output if its record has them; None if only the whole output does."""
    return None if output.tags_cut else tag_lines(output)


class TagFinder:
    """Finds the tags in a stream, chunk by chunk, in memory bounded by the longest tag."""

    def __init__(self) -> None:
        self._open = b""  # the beginning of a line that has not ended

    def feed(self, chunk: bytes) -> list[str]:
        """Take a chunk, and return the tags that end in it."""
        *ended, rest = (self._open + chunk).split(b"\n")
        self._open = rest[: LONGEST_TAG if rest.startswith(BEGINNING) else len(BEGINNING)]
        return [_text(line) for line in ended if line.startswith(BEGINNING)]

    def end(self) -> list[str]:
        """End the stream; return its last tag if no newline ended that."""
        return [_text(self._open)] if self._open.startswith(BEGINNING) else []


def _text(line: bytes) -> str:
    return line[len(BEGINNING) : LONGEST_TAG].decode(errors="replace")

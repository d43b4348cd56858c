"""Make items of a plain list of commands, one a line.

1. The id of an item is a hash of its command and, from the second on, its occurrence, never the number of its line. So
   a line that is inserted anywhere adds exactly one item, and importing the list again adds none.
2. A table that lacks its header, or misspells it, must not run as a pipeline: what looks like a row of fields is
   refused, unless the person says that it is a command.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Iterator

from pyanamo_async.core.taskfile import columns as col
from pyanamo_async.core.taskfile.lines import InvalidLine, Lines, to_text

SAMPLE = "commands"  # the TaskID of them all
HASH_DIGITS = 16  # of a million commands two have the same with a chance of 1 in 37 million
_ROW_OF_FIELDS = re.compile(r' *"?[\w.-]+"? *([|,;\t]) *"?[\w.-]+"? *(\1|$)')


def command_rows(lines: Lines) -> Iterator[tuple[int, dict[str, str] | InvalidLine]]:
    """Yield the number and the fields of each command, or why it cannot run."""
    occurrences: Counter[str] = Counter()
    for line in lines.records():
        try:
            command = _command(line)
        except InvalidLine as error:
            yield lines.number, error
            continue
        digest = hashlib.sha256(command.encode()).hexdigest()[:HASH_DIGITS]
        occurrences[digest] += 1
        again = f"-{occurrences[digest]}" if occurrences[digest] > 1 else ""
        yield lines.number, {col.ITEM_ID: f"cmd-{digest}{again}", col.TASK_ID: SAMPLE, col.SCRIPT: command}


def _command(line: bytes) -> str:
    command = to_text(line).strip()
    if col.header_of(line):
        raise InvalidLine("this is a header, and would run as a command; import its table as a file of its own")
    if command.endswith("\\"):
        raise InvalidLine("the command ends with a backslash; write all of it in one line")
    return command


def refuse_rows(first: str) -> None:
    """Raise `InvalidLine` when the first line of a file without a header is rather a row of fields than a command."""
    if _ROW_OF_FIELDS.match(first.rstrip("\r\n")):
        raise InvalidLine(
            f"'{first.strip()[:80]}' looks like a row of fields, and no header names itemID, TaskID, TaskScript; "
            "set `no_header` if it is an item, `script` to make items from any table, `lines` if it is a command"
        )

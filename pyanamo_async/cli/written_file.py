"""Name a file that a command writes: `-`, and whatever else leads to stdout, is stdout itself."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import typer

from pyanamo_async.cli.console import OutputWriter, note, say

STDOUT = Path("-")


def file_or_stdout(path: Path) -> Path | OutputWriter:
    """Return what to write to: the open stdout, also for another name of it, such as /dev/stdout.

    To open that name would write over what stdout has, if it is a file.
    """
    try:
        is_stdout = path == STDOUT or os.path.samestat(path.stat(), os.fstat(sys.stdout.fileno()))
    except OSError:  # there is no such file yet
        is_stdout = False
    return OutputWriter() if is_stdout else path


def told(line: str, *, to: Path | OutputWriter) -> None:
    """Print a line about what was written: on stdout, or on stderr if the data itself went to stdout."""
    (say if isinstance(to, Path) else note)(line)


def no_stdout(text: str) -> Path:
    """Parse the file or folder of a flag that stdout cannot be."""
    if Path(text) == STDOUT:
        raise typer.BadParameter("'-' is no name here: this cannot go to stdout; write ./- for a file of that name")
    return Path(text)

"""What a shell is given for a script: the script, or a command that gives it to another program.

1. A script that begins with `#!` runs as the kernel would run it from a file: by that program, with what follows it as
   one argument. Source: execve(2), "Interpreter scripts". The file is a here-document, which leaves nothing behind.
2. A shell that was given with arguments replaces the one that was started.
"""

from __future__ import annotations

import re
import shlex
import string
from collections.abc import Sequence

from pyanamo_async.core.values import Value

_FIRST_LINE = re.compile(r"#![ \t]*(?P<program>[^ \t\n]+)(?:[ \t]+(?P<argument>[^\n]*?))?[ \t]*(?:\n|$)")
END = "_END_OF_PYANAMO_SCRIPT"
FIRSTS = "E" + string.ascii_letters + string.digits  # how the end may begin
DESCRIPTOR = 9  # the highest that every shell lets a redirection name


class ShellCommand(Value):
    """A text to run with `-c`, and whether a POSIX shell must read it, whatever shell runs the other scripts."""

    text: str
    needs_posix_shell: bool = False


def shell_command(script: str, shell: Sequence[str]) -> ShellCommand:
    """Return how to run a script; `shell` is the program for scripts, and its arguments."""
    if first := _FIRST_LINE.match(script):
        return ShellCommand(_interpreted(script, first), needs_posix_shell=True)
    if len(shell) > 1:
        return ShellCommand(f"exec {shlex.join(shell)} -c {shlex.quote(script)}", needs_posix_shell=True)
    return ShellCommand(script)


def _interpreted(script: str, first: re.Match[str]) -> str:
    end = _end_of(script)
    file = f"/dev/fd/{DESCRIPTOR}"
    words = [first["program"], *([first["argument"]] if first["argument"] else []), file]
    return f"exec {shlex.join(words)} {DESCRIPTOR}<<'{end}'\n{script}\n{end}\n"


def _end_of(script: str) -> str:
    """Return a line that ends a here-document: it is nowhere in the script, and no line loses a byte for it.

    dash 0.5.12 drops a byte of a line that begins as the end does and goes on with what is not ASCII.
    """
    at_risk = {line[0] for line in script.split("\n") if not line.isascii()}
    first = next((each for each in FIRSTS if each not in at_risk), "")
    end = f"{first}{END}"
    while end in script:
        end += "_"
    return end

"""Shells as people name them."""

from __future__ import annotations

import shlex
import shutil

from pyanamo_async.errors import UsageError


def shell_words(shell: str) -> list[str]:
    """Return a shell and its arguments; `shell` is a program, or a line like `bash -euo pipefail`.

    Raises:
        UsageError: the line has an unclosed quote.
    """
    try:
        program, *arguments = [shell] if shutil.which(shell) else shlex.split(shell) or [shell]
    except ValueError:
        raise UsageError(f"`shell` {shell} has an unclosed quote", hint="close it") from None
    return [shutil.which(program) or program, *arguments]

"""Ask on a terminal before something is changed."""

from __future__ import annotations

import signal
import sys

from pyanamo_async.core.text.visible import one_line
from pyanamo_async.errors import UsageError


def need_terminal(what: str, hint: str) -> None:
    """Refuse to go on if nobody can be asked.

    Raises:
        UsageError: stdin is not a terminal.
    """
    if not sys.stdin.isatty():
        raise UsageError(f"{what} needs confirmation, but there is no terminal", hint=hint)


def ask(question: str) -> bool:
    """Ask a question on the terminal; any answer but yes means no. One Ctrl-C ends the command, on a loop as well."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # asyncio's handler waits for a second one
    try:
        sys.stderr.write(f"{one_line(question)} [y/N]: ")
        sys.stderr.flush()
        return sys.stdin.readline().strip().casefold() in {"y", "yes"}
    finally:
        signal.signal(signal.SIGINT, before)

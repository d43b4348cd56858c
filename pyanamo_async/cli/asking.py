"""Ask on a terminal before something is changed."""

from __future__ import annotations

import signal
import sys

from pyanamo_async.core.text.visible import one_line
from pyanamo_async.errors import UsageError


def need_terminal(what: str, hint: str) -> None:
    """Refuse to go on where nobody can be asked.

    Raises:
        UsageError: stdin is no terminal.
    """
    if not sys.stdin.isatty():
        raise UsageError(f"{what} needs confirmation, and there is no terminal", hint=hint)


def ask(question: str) -> bool:
    """Ask a question on the terminal; whatever is not yes is no. One Ctrl-C ends the command, also on an event loop."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # asyncio's would wait for the second
    try:
        sys.stderr.write(f"{one_line(question)} [y/N]: ")
        sys.stderr.flush()
        return sys.stdin.readline().strip().casefold() in {"y", "yes"}
    finally:
        signal.signal(signal.SIGINT, before)

"""The border between commands and the shell: every error is one line on stderr, every ending an exit status.

Never a traceback, unless `PYANAMO_DEBUG` asks for it.
"""

from __future__ import annotations

import os
from collections.abc import Sequence

from pyanamo_async.cli.screen import SIGPIPE_STATUS, PipeClosed, flush, note
from pyanamo_async.errors import PyanamoError, TaskFileInvalid

DEBUG = "PYANAMO_DEBUG"
SIGINT_STATUS = 130


def run(argv: Sequence[str]) -> int:
    """Run one command and return its exit status."""
    try:
        status = _run(argv)
        flush()
    except PipeClosed:
        return SIGPIPE_STATUS
    except KeyboardInterrupt:
        return SIGINT_STATUS
    except Exception as error:  # noqa: BLE001 - the border: whatever it is, it becomes one line
        return complain(error)
    return status


def _run(argv: Sequence[str]) -> int:
    from pyanamo_async.cli.program import app

    try:
        app(args=argv, prog_name="pyanamo")
    except SystemExit as ending:
        return ending.code if isinstance(ending.code, int) else 0
    return 0


def complain(error: Exception) -> int:
    """Say on stderr what went wrong, and return the exit status for it."""
    if os.environ.get(DEBUG):
        import traceback

        traceback.print_exception(error)
    match _cause(error):
        case PyanamoError() as known:
            note(f"pyanamo: {_one_line(str(known))}")
            if isinstance(known, TaskFileInvalid):
                _list(known)
            return known.exit_code
        case unknown:
            name, what = type(unknown).__name__, _one_line(str(unknown))
            note(f"pyanamo: {name}: {what}. hint: {DEBUG}=1 shows where it happened")
            return 1


def _list(invalid: TaskFileInvalid) -> None:
    for problem in invalid.problems:
        note(f"  {_one_line(problem)}")


def _cause(error: BaseException) -> BaseException:
    """Find the error that says most within a group of them."""
    if not isinstance(error, BaseExceptionGroup):
        return error
    causes = [_cause(each) for each in error.exceptions]
    return next((each for each in causes if isinstance(each, PyanamoError)), causes[0])


def _one_line(text: str) -> str:
    return " ".join(text.split())

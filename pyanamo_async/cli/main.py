"""The entry point `pyanamo`: every error becomes one line on stderr, and every end an exit status.

There is never a traceback, unless `PYANAMO_DEBUG` asks for it.
"""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Sequence
from typing import Any

from pyanamo_async.cli.console import SIGPIPE_STATUS, PipeClosed, flush, note, visible_streams
from pyanamo_async.core.text.visible import one_line
from pyanamo_async.errors import PyanamoError, TaskFileInvalid, UsageError

DEBUG = "PYANAMO_DEBUG"
SIGINT_STATUS = 130
GARBAGE_AFTER = 20_000  # new objects; with Python's 700, importing modules would collect garbage many times
ITEM_COMMANDS = {"list", "show", "explain", "logs", "trace", "files", "results", "export"}
ITEM_COMMANDS |= {"retry", "reset", "hold", "unhold", "cancel", "delete", "set"}


def main() -> None:
    """Run the command line and exit with its status."""
    _use_utf8()
    gc.set_threshold(GARBAGE_AFTER)
    status = run(sys.argv[1:])
    gc.freeze()  # a collection at exit would find nothing to do
    sys.exit(status)


def _use_utf8() -> None:
    """Restart in Python's UTF-8 mode if the locale has another encoding, because ids and names of files are bytes."""
    if sys.getfilesystemencoding() != "utf-8" and sys.executable:
        os.execv(sys.executable, [sys.executable, "-X", "utf8", *sys.orig_argv[1:]])  # noqa: S606 - this program


def run(argv: Sequence[str]) -> int:
    """Run one command and return its exit status."""
    try:
        _open_closed_streams()
    except UsageError as error:
        return report(error)
    with visible_streams():
        try:
            status = _run(argv)
            flush()
        except PipeClosed:
            return SIGPIPE_STATUS
        except KeyboardInterrupt:
            return SIGINT_STATUS
        except Exception as error:  # noqa: BLE001 - the outermost level: whatever it is, it becomes one line
            return report(error)
        return status


def _run(argv: Sequence[str]) -> int:
    import typer

    from pyanamo_async.cli.program import program

    try:
        status = program(argv[0] if argv else "")(args=argv, prog_name="pyanamo", standalone_mode=False)
    except typer.Abort:
        note("pyanamo: nothing was answered")
        return 1
    except invalid_usage() as error:
        _show_usage(error)
        if not getattr(error, "possibilities", True):  # no such option, nor one like it; typer exports no type for that
            _hint_at_ids(argv)
        return UsageError.exit_code
    return status if isinstance(status, int) else 0


def invalid_usage() -> type[Exception]:
    """Return the base class of typer's errors about arguments, which typer does not export."""
    import typer

    return next(each for each in typer.BadParameter.__mro__ if each.__base__ is Exception)


def _show_usage(error: Any) -> None:  # noqa: ANN401 - see above
    """Let typer show its error, on one line whatever the arguments contain."""
    if not error.message.startswith("Usage: "):  # the help, where there were no arguments
        error.message = one_line(error.message)
    error.show()


def _hint_at_ids(argv: Sequence[str]) -> None:
    """Explain how to name an item that was taken for a flag."""
    if {*argv[:1]} & ITEM_COMMANDS and any(each.startswith("-") for each in argv[1:]):
        note(f"hint: write -- before an item whose id begins with -, as in `pyanamo {argv[0]} -- -x`")


def _open_closed_streams() -> None:
    """Open /dev/null for each standard stream that is closed: the next file opened would be taken for it."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest number that is free
    sys.stdin = sys.stdin or open(os.devnull)  # noqa: SIM115, PTH123 - as long as the process lives
    sys.stderr = sys.stderr or open(os.devnull, "w")  # noqa: SIM115, PTH123
    if not sys.stdout:
        raise UsageError("stdout is closed", hint="send it to a file, or to /dev/null")


def report(error: Exception) -> int:
    """Write an error to stderr in one line, and return its exit status."""
    if os.environ.get(DEBUG):
        import traceback

        traceback.print_exception(error)
    from pyanamo_async.cli.flags import name_flags

    match _cause(error):
        case PyanamoError() as known:
            note(f"pyanamo: {_one_line(name_flags(PyanamoError.__str__(known)))}")  # problems have lines of their own
            for problem in known.problems if isinstance(known, TaskFileInvalid) else ():
                note(f"  {_one_line(name_flags(problem))}")
            return known.exit_code
        case FileNotFoundError() if not _has_folder():
            note("pyanamo: the current folder is gone. hint: change to one that exists")
            return 1
        case OSError(strerror=str(reason), filename=str() | bytes() as file):
            note(f"pyanamo: {_one_line(os.fsdecode(file))}: {reason}. hint: {DEBUG}=1 shows what it was needed for")
            return 1
        case unknown:
            name, what = type(unknown).__name__, _one_line(str(unknown))
            note(f"pyanamo: {name}: {what}. hint: {DEBUG}=1 shows where it happened")
            return 1


def _has_folder() -> bool:
    try:
        os.getcwd()  # noqa: PTH109 - Path.cwd() does no more
    except FileNotFoundError:
        return False
    return True


def _cause(error: BaseException) -> BaseException:
    """Return the most telling error of a group."""
    if not isinstance(error, BaseExceptionGroup):
        return error
    causes = [_cause(each) for each in error.exceptions]
    return next((each for each in causes if isinstance(each, PyanamoError)), causes[0])


def _one_line(text: str) -> str:
    return " ".join(text.split())

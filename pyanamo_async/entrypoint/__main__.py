"""The entrypoint of the image: `pyanamo-entrypoint [--check] [ARCHIVE] [COMMAND, or flags of pyanamo run]`."""

from __future__ import annotations

import os
import shutil
import signal
import sys
from collections.abc import Sequence
from types import FrameType
from typing import Any, NoReturn

import typer

from pyanamo_async.cli.console import note, say, visible_streams
from pyanamo_async.cli.main import DEBUG, invalid_usage, report
from pyanamo_async.cli.program import program
from pyanamo_async.core.text.visible import one_line
from pyanamo_async.entrypoint.preparing import Prepared, prepare
from pyanamo_async.entrypoint.request import OWN, Request, missing, read_request, unknown
from pyanamo_async.entrypoint.time_limit import TimeLimit
from pyanamo_async.errors import PyanamoError, UsageError
from pyanamo_async.host.pid1 import PASSED_ON

FAILED = 1
ALSO_FLAGS = {"table": "PYANAMO_TABLE", "bucket": "S3_BUCKET"}
ADDRESSES = {"--table": "PYANAMO_TABLE", "--bucket": "S3_BUCKET"}
COMMAND_HINT = "an archive is s3://..., .tar.gz, .tgz, .tar or .zip"
STOPS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


def main() -> NoReturn:
    """Become a worker, or the command that was given."""
    for number in STOPS:
        signal.signal(number, _stopped)  # the first process of a container hears only what it has a handler for
    with visible_streams():
        try:
            request = read_request(sys.argv[1:], os.environ)
            limit = TimeLimit(request.limit, say=_say)
            with limit.running():
                prepared = _prepared(request, limit)
        except PyanamoError as error:
            _fail(str(error))
        except OSError as error:
            hint = "is that folder writable (TMPDIR, PYANAMO_WORKDIR), and the disk not full?"
            _fail(f"{error.strerror or error}: {error.filename}. hint: {hint}")
        except Exception as error:  # noqa: BLE001 - as in `cli.main`: whatever it is, it becomes one line
            report(error)
            sys.exit(FAILED)
        if request.check:
            _show(request, prepared)
            sys.exit(0)
        _become(request, prepared)


def _prepared(request: Request, limit: TimeLimit) -> Prepared:
    environment, has_pipeline = dict(os.environ), bool(request.scripts or os.environ.get("PIPELINE"))
    if not request.command:
        environment |= check_run(request.flags)
        if names := missing(environment):
            raise UsageError(f"{' and '.join(names)} must be set", hint="the job definition's environment has them")
    elif not has_pipeline and shutil.which(request.command[0]) is None:
        raise UsageError(f"there is no command {request.command[0]}", hint=COMMAND_HINT)
    for name, hint in unknown(os.environ, {*OWN, *run_variables()}).items():
        _say(f"{name} has no meaning{hint and f'. hint: {hint}'}")
    return prepare(request, environment, note=_say, begin=limit.begin)


def _become(request: Request, prepared: Prepared) -> NoReturn:
    """Run the command, or the worker, in place of this process."""
    os.chdir(prepared.folder)
    environment = {**prepared.environment, "PWD": str(prepared.folder)}
    if request.command:
        program = shutil.which(request.command[0], path=environment.get("PATH"))
        if program is None:
            _fail(f"there is no command {request.command[0]}. hint: {COMMAND_HINT}")
        os.execve(program, request.command, environment)  # noqa: S606 - what was asked for
    if os.getpid() == 1:
        # Until the worker has forked (`host.pid1`) a signal would be lost: the kernel drops what the first process has
        # no handler for. Blocked ones wait.
        signal.pthread_sigmask(signal.SIG_BLOCK, PASSED_ON)
    flags = [*request.flags]
    if flags:  # they outrank variables, and the last one counts: addresses as they are from here, where it stands
        named = ((flag, environment.get(name)) for flag, name in ADDRESSES.items())
        flags += [f"{flag}={address}" for flag, address in named if address]
    words = [sys.executable, "-I", "-m", "pyanamo_async", "run", *flags]  # without the pipeline's PYTHONPATH
    os.execve(sys.executable, words, environment)  # noqa: S606 - this program


def _show(request: Request, prepared: Prepared) -> None:
    """Print what would run."""
    for name in ("PYANAMO_TABLE", "S3_BUCKET", "PIPELINE", "PYANAMO"):
        say(f"{name}={prepared.environment.get(name, '')}")
    say(f"set-up: {', '.join(map(str, prepared.sourced)) or 'none'}")
    say(f"working directory: {prepared.folder}")
    say(f"would run: {' '.join(request.command or ('pyanamo', 'run', *request.flags))}")


def _stopped(number: int, _: FrameType | None) -> NoReturn:
    _say(f"stopped by {signal.Signals(number).name} before anything began")
    sys.exit(os.EX_TEMPFAIL)


def _fail(reason: str) -> NoReturn:
    _say(reason)
    sys.exit(FAILED)


def _say(line: str) -> None:
    note(f"pyanamo-entrypoint: {line}")


def run_variables() -> set[str]:
    """Return the variables that `pyanamo run` reads."""
    named = [each.envvar for each in _command().params if getattr(each, "envvar", None)]
    return {DEBUG}.union(*([each] if isinstance(each, str) else each for each in named))


def check_run(flags: Sequence[str]) -> dict[str, str]:
    """Parse flags, and the variables of those that are not given; `--help` prints and exits.

    Returns the table and the bucket that flags name, as the variables that they outrank.

    Raises:
        UsageError: a value is invalid, or there is no such flag.
    """
    try:
        context = _command().make_context("pyanamo run", list(flags))
    except typer.Exit as ended:
        raise SystemExit(ended.exit_code) from None
    except invalid_usage() as error:
        raise UsageError(
            one_line(getattr(error, "format_message", error.__str__)()).rstrip("."), hint="pyanamo run --help"
        ) from None
    given = {name for name in ALSO_FLAGS if context.get_parameter_source(name).name == "COMMANDLINE"}
    return {ALSO_FLAGS[name]: str(context.params[name]) for name in given}


def _command() -> Any:  # noqa: ANN401 - of click, which typer hides
    group: Any = typer.main.get_command(program("run"))
    return group.commands["run"]


if __name__ == "__main__":
    main()

"""`pyanamo alive`: a health probe for a worker on the same machine."""

from __future__ import annotations

import stat
import time
from datetime import timedelta
from pathlib import Path
from typing import Annotated

import typer

from pyanamo_async import PyanamoError
from pyanamo_async.cli.console import say
from pyanamo_async.cli.flags import duration
from pyanamo_async.core.text.durations import show_duration

EPILOG = """\b
Exit status:
  0   there was a heartbeat within that time
  1   there was none
"""


def alive(
    file: Annotated[
        Path, typer.Argument(envvar="PYANAMO_HEARTBEAT_FILE", help="The file that `run --heartbeat-file` touches.")
    ],
    within: Annotated[
        timedelta,
        typer.Option("--within", metavar="DURATION", parser=duration, help="How old the last heartbeat may be."),
    ] = "90s",  # type: ignore[assignment]  # parsed as any other text
) -> None:
    """Check by the age of its heartbeat file that a worker sent a heartbeat recently.

    This is for health probes, such as a livenessProbe of Kubernetes. It needs neither the table nor credentials.
    """
    try:
        found = file.stat()
    except OSError as error:
        raise PyanamoError(f"there was no heartbeat yet: {error.strerror}: {file}") from error
    if not stat.S_ISREG(found.st_mode):
        raise PyanamoError(f"{file} is not a file", hint="give the one that `run --heartbeat-file` touches")
    age = timedelta(seconds=round(time.time() - found.st_mtime))
    if age < -within:  # the clock was set back: the worker would look alive until then
        raise PyanamoError(f"the last heartbeat is {show_duration(-age)} ahead of the clock")
    age = max(age, timedelta())
    if age > within:
        raise PyanamoError(f"the last heartbeat was {show_duration(age)} ago")
    say(f"the last heartbeat was {show_duration(age)} ago")

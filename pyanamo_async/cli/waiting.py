"""`pyanamo wait`: wait until nothing of a table is left to run."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from datetime import timedelta
from typing import Annotated

import typer

from pyanamo_async import Counts, PyanamoError, State, Table
from pyanamo_async.cli.console import note
from pyanamo_async.cli.flags import duration, name_flags
from pyanamo_async.cli.options import command_line, on_table
from pyanamo_async.core.text.plural import plural

EPILOG = """\b
Exit status:
  0   nothing is left, and nothing failed
  3   nothing is left, but items failed
  75  the timeout is over, with items left
"""

Timeout = Annotated[
    timedelta | None,
    typer.Option("--timeout", metavar="DURATION", parser=duration, help="Wait no longer: seconds, or like 90m, 48h."),
]


@on_table
async def wait(table: Table, *, timeout: Timeout = None) -> None:
    """Wait until nothing is left to run.

    On a terminal, stderr says what it waits for. Held items are not waited for.
    """

    def tell(counts: Counts, workers: int, out_of_reach: Sequence[str]) -> None:
        if counts.left:
            note(f"waiting for {_left(counts)}; {_alive(workers, table.address)}")
            for sentence in out_of_reach:
                note(f"  {name_flags(sentence)}")

    def missed(error: PyanamoError) -> None:
        note(f"pyanamo: {error}")

    result = await table.wait(timeout=timeout, tell=tell if sys.stderr.isatty() else None, missed=missed)
    raise typer.Exit(result.exit_status)


def _left(counts: Counts) -> str:
    locked = counts.items[State.LOCKED]
    return f"{plural(counts.left, 'item')}, of which {locked:,} {'is' if locked == 1 else 'are'} running"


def _alive(workers: int, address: str) -> str:
    if workers:
        return f"{plural(workers, 'worker')} {'is' if workers == 1 else 'are'} alive"
    return f"no worker is alive, {command_line('run', address)} starts one"

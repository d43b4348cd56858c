"""`pyanamo wait`: wait until nothing of a table is left to run."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from datetime import timedelta
from typing import Annotated

import typer

from pyanamo_async import Counts, NextStep, OutOfReach, PyanamoError, State, Table, WaitResult
from pyanamo_async.cli.console import note
from pyanamo_async.cli.explaining import COMMANDS
from pyanamo_async.cli.flags import duration, name_flags
from pyanamo_async.cli.options import command_line, on_table
from pyanamo_async.cli.run_ending import failed_items
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

    Its exit status is that of the whole table, whoever ran what; `pyanamo run` answers for what it ran itself. On a
    terminal, stderr says what it waits for. Held items are not waited for.
    """

    def tell(counts: Counts, workers: int, out_of_reach: Sequence[OutOfReach]) -> None:
        if counts.left:
            is_taken = counts.left > sum(each.items for each in out_of_reach)
            note(f"waiting for {_left(counts)}; {_alive(workers, table.address if is_taken else '')}")
            for each in out_of_reach:
                note(f"  {name_flags(str(each))}: {_to_start(each, table.address)}")

    def missed(error: PyanamoError) -> None:
        note(f"pyanamo: {error}")

    on_terminal = sys.stderr.isatty()
    result = await table.wait(timeout=timeout, tell=tell if on_terminal else None, missed=missed)
    if on_terminal and (ending := _ending(result, table.address)):
        note(ending)
    raise typer.Exit(result.exit_status)


def _ending(result: WaitResult, address: str) -> str:
    """Return why the exit status is not 0; empty if it is."""
    if result.left:
        return f"the timeout is over, and {plural(result.left, 'item')} {'is' if result.left == 1 else 'are'} left"
    if result.failed:
        return failed_items(result.failed, address)
    return ""


def _left(counts: Counts) -> str:
    locked = counts.items[State.LOCKED]
    return f"{plural(counts.left, 'item')}, of which {locked:,} {'is' if locked == 1 else 'are'} running"


def _to_start(left: OutOfReach, address: str) -> str:
    """Return what to type for items that no living worker takes."""
    if left.lane.last_attempts:
        return command_line(COMMANDS[NextStep.RUN_LAST], address)
    return f"{command_line(COMMANDS[NextStep.RUN_LARGER], address)} on a machine that has it"


def _alive(workers: int, address: str) -> str:
    """Return how many workers live, and with an address how to start one if none does."""
    if workers:
        return f"{plural(workers, 'worker')} {'is' if workers == 1 else 'are'} alive"
    return f"no worker is alive, {command_line('run', address)} starts one" if address else "no worker is alive"

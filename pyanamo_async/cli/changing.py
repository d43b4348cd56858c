"""`pyanamo retry`, `reset`, `hold`, `unhold`, `cancel`, `delete` and `set`: orders to change items."""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from typing import Annotated

import typer

from pyanamo_async import Selection, State, Table
from pyanamo_async.cli import ordering
from pyanamo_async.cli.flags import KnownSize, duration, known_size
from pyanamo_async.cli.options import on_table
from pyanamo_async.cli.ordering import How, Wording, carry_out
from pyanamo_async.cli.selecting import selects_items

EPILOG = ordering.EPILOG
Outputs = Annotated[bool, typer.Option("--outputs", help="Also delete their stored output, which otherwise stays.")]
AGAIN = Wording(
    "run {} again",
    "running items again",
    "putting back",
    "{} will run again",
    "{} would run again",
    "{} had nothing to run again",
    "{} still held. hint: `pyanamo unhold` lets items go",
    needs_workers=True,
)
HOLD = Wording(
    "hold {}", "holding items", "holding", "{} held", "{} would be held", "{} done already", "{} held already"
)
UNHOLD = Wording("let {} go", "letting items go", "letting go", "{} let go", "{} would be let go", "{} not held")
CANCEL = Wording(
    "cancel {}, and end those that run",
    "cancelling items",
    "cancelling",
    "{} cancelled",
    "{} would be cancelled",
    "{} done already",
    "{} held already",
)
DELETE = Wording("delete {}", "deleting items", "deleting", "{} deleted", "{} would be deleted", "{} had no such task")
DELETE_TASKS = Wording(
    "delete this task of {}",
    "deleting tasks",
    "deleting",
    "the task of {} deleted",
    "the task of {} would be deleted",
    "{} had no such task",
)
SET = Wording(
    "change {}", "changing items", "changing", "{} changed", "{} would be changed", "{} already had these values"
)


@on_table
@selects_items(states=[State.FAILED])
@ordering.forces
def retry(table: Table, *, selection: Selection, how: How) -> None:
    """Run again what did not succeed.

    By default these are all failed items. Finished tasks of nested items stay finished, and held items stay held.
    Failures count from zero again.
    """
    carry_out(table, Table.retry, selection, how, AGAIN)


@on_table
@selects_items()
@ordering.forces
def reset(
    table: Table,
    *,
    selection: Selection,
    how: How,
    clear: Annotated[
        bool, typer.Option("--clear", help="Begin anew, not from the checkpoints of tasks that did not succeed.")
    ] = False,
) -> None:
    """Run all tasks of the selected items again.

    That includes tasks that are done, and items that are held.
    """
    carry_out(table, partial(Table.reset, clear=clear), selection, how, AGAIN)


@on_table
@selects_items()
@ordering.forces
def hold(table: Table, *, selection: Selection, how: How) -> None:
    """Hold the selected items: no worker takes them.

    They are Pending until unhold lets them go. Items that are done stay done.
    """
    carry_out(table, Table.hold, selection, how, HOLD)


@on_table
@selects_items()
@ordering.notes
def unhold(table: Table, *, selection: Selection, how: How) -> None:
    """Let selected items go that are held.

    Each returns to the state that it had before.
    """
    carry_out(table, Table.unhold, selection, how, UNHOLD)


@on_table
@selects_items()
@ordering.withdraws
def cancel(table: Table, *, selection: Selection, how: How) -> None:
    """Withdraw the selected items, and end those that run.

    They are held, with the reason that --reason gives. retry leaves them alone; unhold or reset brings them back. Items
    that are done stay done.
    """
    carry_out(table, Table.cancel, selection, how, CANCEL)


@on_table
@selects_items()
@ordering.forces
def delete(
    table: Table,
    *,
    selection: Selection,
    how: How,
    outputs: Outputs = False,
) -> None:
    """Delete the selected items, or a task of nested ones."""
    delete_items(table, selection, how, outputs=outputs)


def delete_items(table: Table, selection: Selection, how: How, *, outputs: bool) -> None:
    """Delete items, or a task of them, and with `outputs` their output."""
    words = DELETE if selection.task is None else DELETE_TASKS
    carry_out(table, Table.delete, selection, how, words, outputs=outputs)


@on_table
@selects_items()
@ordering.forces
def set_items(
    table: Table,
    *,
    selection: Selection,
    how: How,
    priority: Annotated[
        int | None, typer.Option("--priority", metavar="0-9", help="Items with a lower number run first.")
    ] = None,
    max_failures: Annotated[
        int | None, typer.Option("--max-failures", metavar="N", help="How often a task may fail before it is given up.")
    ] = None,
    timeout: Annotated[
        timedelta | None,
        typer.Option("--timeout", parser=duration, metavar="DURATION", help="How long a task may run, as 90m."),
    ] = None,
    memory: Annotated[
        KnownSize | None,
        typer.Option(
            "--memory",
            parser=known_size,
            metavar="SIZE",
            help="How much memory each task needs, as 12G; `none` forgets it, and what was found.",
        ),
    ] = None,
    cpus: Annotated[int | None, typer.Option("--cpus", metavar="N", help="How many CPUs each task needs.")] = None,
    script: Annotated[
        str | None,
        typer.Option("--script", metavar="SCRIPT", help="The new script of the selected tasks, which run again."),
    ] = None,
) -> None:
    """Set limits, needs, priority or script of the selected items.

    What is not given stays as it is.
    """
    values = {"priority": priority, "max_failures": max_failures, "timeout": timeout, "script": script}
    values |= {"memory_bytes": memory.count if memory else None, "cpus": cpus}
    carry_out(table, Table.set, selection, how, SET, forget_memory=memory == KnownSize(None), **values)

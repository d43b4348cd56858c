"""The flags by which a person selects items and tasks, for every command that takes a selection."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from functools import wraps
from typing import Annotated, Any

import typer

from pyanamo_async import Selection, Table, UsageError, read_ids
from pyanamo_async.cli.completing import complete_items, complete_states
from pyanamo_async.cli.console import flush, note
from pyanamo_async.cli.options import Command, takes
from pyanamo_async.core.text.byte_sizes import show_size

INCOMPLETE = 3  # the exit status when not every selected item is shown, or as ordered
NAMED = 5  # ids in a line for people
READ_UNIT_BYTES = 4096  # of a consistent read
BY_STATE = "with --state only items in that state are read"

Ids = Annotated[
    list[str] | None,
    typer.Argument(metavar="[ITEM]...", help="itemIDs.", show_default=False, autocompletion=complete_items),
]
FromFile = Annotated[
    str | None,
    typer.Option(
        "--from", metavar="FILE", help="Items whose itemIDs are the lines of this file, or of stdin with '-'."
    ),
]
States = Annotated[
    list[str] | None,
    typer.Option(
        "-s",
        "--state",
        metavar="STATE",
        help="Only items in this state; several may be given.",
        autocompletion=complete_states,
    ),
]
Sample = Annotated[str | None, typer.Option("--sample", metavar="TASKID", help="Only items of this TaskID.")]
Worker = Annotated[
    str | None, typer.Option("--worker", metavar="WORKER", help="Only what this worker holds, or ran last.")
]
TaskName = Annotated[
    str | None,
    typer.Option("--task", metavar="TASK", help="Only this task of nested items, as Task_3, 3, or its argument."),
]
Where = Annotated[
    str | None,
    typer.Option("--where", metavar="EXPRESSION", help="Only tasks for which this is true, as 'exit == 137'."),
]
Limit = Annotated[int | None, typer.Option("--limit", metavar="N", help="At most N items, or N rows of `trace`.")]
All = Annotated[bool, typer.Option("--all", help="All items of the table.")]


def selects_items(**by_default: object) -> Callable[[Command], Command]:
    """Give a command the flags of a selection, and pass it the `selection`.

    `by_default` are the criteria if no flag gives any; without `by_default` that is an error. Ids that the table does
    not have are reported on stderr after the others, and in the exit status.
    """

    @wraps(_criteria)
    def select(**flags: Any) -> Selection:  # noqa: ANN401 - what the signature of the wrapped says
        limit = flags.pop("limit")
        criteria: dict[str, Any] = _criteria(**flags) or by_default
        return Selection(**criteria, limit=limit)

    return lambda command: takes("selection", select)(_telling_missing(command))


def may_select_items(command: Command) -> Command:
    """Give a command the flags of a selection except ids, and pass it the `selection`; None if no flag gives any."""
    signature = inspect.signature(_criteria, eval_str=True)

    def select(**flags: Any) -> Selection | None:  # noqa: ANN401 - as above
        limit = flags.pop("limit")
        criteria: dict[str, Any] = _criteria(**flags)
        return Selection(**criteria, limit=limit) if criteria else None

    own = [each for name, each in signature.parameters.items() if name != "ids"]
    select.__signature__ = signature.replace(parameters=own)  # type: ignore[attr-defined]  # `takes` reads it
    return takes("selection", select)(_telling_missing(command))


def _telling_missing(command: Command) -> Command:
    """Let a command that reads go on without the items that the table does not have, and tell them at its end."""

    @wraps(command)
    def run(**options: Any) -> Awaitable[None] | None:  # noqa: ANN401 - typer passes what the signature says
        missing: list[str] = []
        if selection := options["selection"]:
            options["selection"] = replace(selection, on_missing=missing.extend)
        running = command(**options)
        return None if running is None else _tell_at_end(running, missing)

    return run


async def _tell_at_end(running: Awaitable[None], missing: Sequence[str]) -> None:
    try:
        await running
    finally:
        if missing:
            flush()  # what was found comes first, also where both go to one terminal
            note(f"the table has no item {shown_ids(missing)}")
    if missing:
        raise typer.Exit(INCOMPLETE)


def shown_ids(ids: Sequence[str]) -> str:
    """Return the first few of these ids, and how many more there are."""
    more = f" and {len(ids) - NAMED:,} more" if len(ids) > NAMED else ""
    return ", ".join(ids[:NAMED]) + more


async def note_scan(table: Table, selection: Selection, *, whole: bool = False, hint: str = BY_STATE) -> None:
    """Warn that the whole table will be read, if reading costs money, with an estimate of how much.

    `whole` means that items are read whole, whatever the selection needs.
    """
    if not (whole and selection.ids is None and selection.states is None) and not selection.needs_whole_table:
        return
    seen = await table.describe()
    if seen.billing != "free":
        size_bytes = seen.size_bytes or 0
        size = (
            f"{show_size(size_bytes)} when DynamoDB measured it last, some {size_bytes // READ_UNIT_BYTES:,} read units"
        )
        note(f"reading the whole table ({size})" + (f". hint: {hint}" if hint else ""))


def _criteria(
    *,
    ids: Ids = None,
    from_file: FromFile = None,
    state: States = None,
    sample: Sample = None,
    worker: Worker = None,
    task: TaskName = None,
    where: Where = None,
    limit: Limit = None,  # noqa: ARG001 # no criterion
    everything: All = False,
) -> dict[str, object]:
    """Return the criteria that flags give, under the names of the API."""
    states = [each.strip() for text in state for each in text.split(",")] if state else None
    if ids and from_file is not None:
        raise UsageError("ITEM and --from exclude each other", hint="give one of them")
    chosen = ids or (read_ids(from_file) if from_file is not None else None)
    named = {"ids": chosen or None, "states": states, "sample": sample, "worker": worker, "task": task, "where": where}
    return {name: value for name, value in (*named.items(), ("all", everything or None)) if value is not None}

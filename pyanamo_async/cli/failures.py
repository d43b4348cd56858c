"""`pyanamo failures`: what failed, grouped by reason."""

from __future__ import annotations

import shlex
from typing import Annotated

import typer

from pyanamo_async import FailureGroup, State, Table
from pyanamo_async.cli.console import flush, note, on_terminal, say_json
from pyanamo_async.cli.listing import Column, Row, say_table
from pyanamo_async.cli.options import JsonOption, SampleOption, command_line, on_table
from pyanamo_async.cli.views import COLOURS, RETRYING, RETRYING_COLOUR, one_by_one
from pyanamo_async.core.text.plural import plural

REASON = (Column("state", rank=3), Column("reason", rank=1, cut=True))
SUCH_AS, LOOK_AT_ONE = (
    "such as",
    "look at one",
)  # on a terminal the reason gets the room, and one command is shown below


@on_table
async def failures(
    table: Table,
    *,
    sample: SampleOption = None,
    tasks: Annotated[
        bool, typer.Option("--tasks", help="Group failed tasks, not items; this reads failed items whole.")
    ] = False,
    json: JsonOption = False,
) -> None:
    """Show what failed or is retrying, grouped by reason.

    A reason includes the last line of stderr. Numbers that differ from item to item are shown as #.
    """
    what = "task" if tasks else "item"
    groups = await table.failures(sample=sample, tasks=tasks)
    if json:
        say_json([_json(each, what) for each in groups])
        return
    if groups:
        example, last = (_example, SUCH_AS) if on_terminal() else (_look, LOOK_AT_ONE)
        columns = (Column(f"{what}s", right=True), *REASON, Column(last, rank=2))
        await say_table(columns, (_row(each, example(each, table.address)) async for each in one_by_one(groups)))
    failed = sum(each.count for each in groups if not each.retrying)
    retrying = sum(each.count for each in groups if each.retrying)
    hint = f"; {command_line('retry', table.address)} runs {'it' if failed == 1 else 'them'} again" if failed else ""
    flush()  # the table comes first, also where both go to one terminal
    wait = f"; {plural(retrying, what)} {'is' if retrying == 1 else 'are'} {RETRYING}" if retrying else ""
    note(f"{plural(failed, what)} failed{hint}{wait}")
    if groups and on_terminal():
        note(f"what {groups[0].example} wrote to stderr: {_look(groups[0], table.address)}")


def _example(group: FailureGroup, _: str) -> str:
    return f"{group.example} {group.example_task or ''}".rstrip()


def _look(group: FailureGroup, address: str) -> str:
    task = f" {shlex.quote(group.example_task)}" if group.example_task else ""
    return f"{command_line('logs --stderr', address, group.example)}{task}"


def _row(group: FailureGroup, example: str) -> Row:
    state, colour = (RETRYING, RETRYING_COLOUR) if group.retrying else (str(State.FAILED), COLOURS[State.FAILED])
    return Row((str(group.count), state, group.reason, example), colour)


def _json(group: FailureGroup, what: str) -> dict[str, object]:
    task = {"example_task": group.example_task} if group.example_task else {}
    return {
        f"{what}s": group.count,
        "retrying": group.retrying,
        "reason": group.reason,
        "example": group.example,
        **task,
        "example_reason": group.example_reason,
    }

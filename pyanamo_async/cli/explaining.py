"""`pyanamo explain`: why an item does not run, and what to type next."""

from __future__ import annotations

import shlex
from typing import Annotated

import typer

from pyanamo_async import NextStep, State, Table
from pyanamo_async.cli.console import say, say_json
from pyanamo_async.cli.flags import name_flags
from pyanamo_async.cli.options import ItemArgument, JsonOption, command_line, on_table

COMMANDS = {
    NextStep.SEE_OUTPUT: "logs",
    NextStep.SEE_ERRORS: "logs --stderr",
    NextStep.FOLLOW: "logs --follow",
    NextStep.SHOW: "show",
    NextStep.RETRY: "retry",
    NextStep.RESET: "reset",
    NextStep.UNHOLD: "unhold",
    NextStep.RUN: "run",
    NextStep.RUN_LARGER: "run --memory 95%",
    NextStep.RUN_LAST: "run --last-attempts",
    NextStep.SET: "set --memory SIZE",
    NextStep.RUN_LONGER: "run --wall-time 48h",
    NextStep.RECLAIM: "reclaim",
    NextStep.LIST_WORKERS: "workers",
}
ON_BATCH = {
    NextStep.RUN: "--jobs 1",
    NextStep.RUN_LARGER: "--memory-class SIZE",
    NextStep.RUN_LAST: "--jobs 1 --last-attempts",
    NextStep.RUN_LONGER: "--jobs 1 --wall-time 48h",
}
"""Options of `batch submit`, for whoever names a queue."""
OF_A_TASK = {NextStep.SEE_OUTPUT, NextStep.SEE_ERRORS, NextStep.FOLLOW}
WAITS = {State.TODO, State.WALL_TIME_EXCEEDED}
NOBODY_TAKES_IT = {NextStep.RUN, NextStep.RUN_LARGER, NextStep.RUN_LAST}
OF_THE_TABLE = {*NOBODY_TAKES_IT, NextStep.RUN_LONGER, NextStep.RECLAIM, NextStep.LIST_WORKERS}


@on_table
async def explain(
    table: Table,
    *,
    item: ItemArgument,
    queue: Annotated[
        str | None,
        typer.Option(
            "--queue",
            metavar="QUEUE",
            help="The job queue of AWS Batch for workers: if nobody takes the item up, tell why no job there starts, "
            "and how to submit one.",
        ),
    ] = None,
    json: JsonOption = False,
) -> None:
    """Explain why an item does not run, and what to type next.

    Of one that has ended, it explains what became of it.
    """
    told = await table.explain(item)
    because = [name_flags(each) for each in told.because]
    if queue and told.state in WAITS and NOBODY_TAKES_IT & {*told.next_steps}:
        because += await table.explain_batch(queue=queue)
    steps = [
        (
            command_line(_command(each, queue), table.address, "" if each in OF_THE_TABLE else told.item_id)
            + (f" {shlex.quote(told.task)}" if told.task and each in OF_A_TASK else ""),
            str(each),
        )
        for each in told.next_steps
    ]
    if json:
        following = [{"command": command, "purpose": purpose} for command, purpose in steps]
        say_json({"itemID": told.item_id, "state": str(told.state), "because": because, "next": following})
        return
    say(f"{told.item_id}: {told.state}")
    for sentence in because:
        say(f"  {sentence}")
    say("next:")
    for command, purpose in steps:
        say(f"  {command}  # {purpose}")


def _command(step: NextStep, queue: str | None) -> str:
    if queue and step in ON_BATCH:
        return f"batch submit --queue {shlex.quote(queue)} --definition DEFINITION {ON_BATCH[step]}"
    return COMMANDS[step]

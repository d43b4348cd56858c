"""`pyanamo samples`: which samples are through which steps."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Annotated

import typer

from pyanamo_async import SampleRow, SampleStep, State, Table, UsageError, sample_matrix
from pyanamo_async.cli.console import say_exactly, say_json_list
from pyanamo_async.cli.listing import Column, Row, say_table
from pyanamo_async.cli.options import JsonOption, on_tables
from pyanamo_async.cli.views import COLOURS, one_by_one

SAMPLE = "sample"
STYLES = {"failed": COLOURS[State.FAILED], "running": COLOURS[State.LOCKED], "todo": COLOURS[State.TODO]}

Through = Annotated[
    list[str] | None,
    typer.Option("--through", metavar="STEP", help="Only samples all of whose items are done in this table."),
]
NotThrough = Annotated[
    list[str] | None,
    typer.Option(
        "--not-through",
        metavar="STEP",
        help="Only samples that have no items in this table, or not all done. The table need not exist yet.",
    ),
]
FailedIn = Annotated[
    list[str] | None, typer.Option("--failed-in", metavar="STEP", help="Only samples with failed items in this table.")
]
Tsv = Annotated[
    bool, typer.Option("--tsv", help="Print one word for each step, tab-separated: a table for `import -`.")
]
Names = Annotated[bool, typer.Option("--names", help="Print only the names of samples, one on each line.")]


@on_tables
async def samples(
    tables: Sequence[Table],
    *,
    through: Through = None,
    not_through: NotThrough = None,
    failed_in: FailedIn = None,
    tsv: Tsv = False,
    names: Names = False,
    json: JsonOption = False,
) -> None:
    """Show which samples are through which steps.

    A table is a step, a TaskID a sample. STEP is a table as it was typed, or the name of its file without the ending.
    Each of these flags may be repeated.
    """
    if tsv + names + json > 1:
        raise UsageError("--tsv, --names and --json exclude each other", hint="give one")
    rows = one_by_one(
        await sample_matrix(tables, through=through or (), not_through=not_through or (), failed_in=failed_in or ())
    )
    steps = _names(tables)
    if json:
        await say_json_list(_json(row, steps) async for row in rows)
    elif names:
        async for row in rows:
            say_exactly(row.sample)
    else:
        columns = [
            Column(SAMPLE),
            *(Column(name, rank=number, even_empty=True) for number, name in enumerate(steps, start=1)),
        ]
        await say_table(columns, (_row(row, words=tsv) async for row in rows), plain=tsv)


def _names(tables: Sequence[Table]) -> list[str]:
    """Return the names of the steps; where two are alike, or one is called like the samples' column, the addresses."""
    times = Counter([SAMPLE, *(table.step for table in tables)])
    return [table.step if times[table.step] == 1 else table.address for table in tables]


def _row(row: SampleRow, *, words: bool) -> Row:
    states = {each.state for each in row.steps}
    style = next((style for state, style in STYLES.items() if state in states), "")
    if words:
        return Row((_quoted(row.sample), *(each.state for each in row.steps)), style)
    return Row((row.sample, *map(_cell, row.steps)), style)


def _quoted(sample: str) -> str:
    """Return a cell that a reader of CSV reads as this text, and that `import` does not take for a comment."""
    return f'"{sample.replace(chr(34), chr(34) * 2)}"' if '"' in sample or sample.startswith("#") else sample


def _cell(step: SampleStep) -> str:
    """Return how a sample is in a step: one word if it has one item, else also how many of its items are done."""
    return step.state if step.items <= 1 or step.is_through else f"{step.state} {step.done}/{step.items}"


def _json(row: SampleRow, names: Sequence[str]) -> dict[str, object]:
    steps = zip(names, row.steps, strict=True)
    return {SAMPLE: row.sample, "steps": {name: _json_step(step) for name, step in steps}}


def _json_step(step: SampleStep) -> dict[str, object]:
    counts = ("items", "done", "failed", "held", "locked", "waiting")
    return {"state": step.state, **{name: getattr(step, name) for name in counts}}

"""`pyanamo retry` and `reset`: put items back, so that they run again."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Annotated

import typer

from pyanamo_async import ChangeResult, Selection, State, Table
from pyanamo_async.cli.asking import ask, need_terminal
from pyanamo_async.cli.console import flush, note, say, say_json
from pyanamo_async.cli.counting_bar import counting_bar
from pyanamo_async.cli.options import JsonOption, on_table
from pyanamo_async.cli.run_async import with_table
from pyanamo_async.cli.selecting import note_scan, selects_items
from pyanamo_async.core.text.plural import plural

INCOMPLETE = 3  # the exit status when not every selected item is as ordered
NAMED = 5  # ids of locked items in a line for people

Yes = Annotated[bool, typer.Option("-y", "--yes", help="Do not ask.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Only list the items that would run again.")]
Reason = Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why, for the history of the items.")]

EPILOG = """\b
Exit status:
  0   every selected item is as ordered
  3   some were left as they are: workers hold them, or others changed them
"""


@on_table
@selects_items(states=[State.FAILED])
def retry(
    table: Table,
    *,
    selection: Selection,
    reason: Reason = "",
    dry_run: DryRun = False,
    yes: Yes = False,
    json: JsonOption = False,
) -> None:
    """Run again what did not succeed: all failed items, or those of a selection.

    Finished tasks of nested items stay finished. Failures count from zero again.
    """
    _change(table, Table.retry, selection, reason=reason, dry_run=dry_run, yes=yes, json=json)


@on_table
@selects_items()
def reset(
    table: Table,
    *,
    selection: Selection,
    reason: Reason = "",
    dry_run: DryRun = False,
    yes: Yes = False,
    json: JsonOption = False,
) -> None:
    """Run everything of the selected items again, also what is done."""
    _change(table, Table.reset, selection, reason=reason, dry_run=dry_run, yes=yes, json=json)


def _change(
    table: Table,
    order: Callable[..., Awaitable[ChangeResult]],
    selection: Selection,
    *,
    reason: str,
    dry_run: bool,
    yes: bool,
    json: bool,
) -> None:
    if not (yes or dry_run):
        need_terminal("running items again", "give --yes or --dry-run")

    async def work(table: Table) -> ChangeResult:
        await note_scan(table, selection)
        with ExitStack() as bars, _interruption_noted() as progress:

            def confirm(items: int) -> bool:
                if not yes and not ask(f"run {plural(items, 'item')} again?"):
                    return False
                progress.draw = bars.enter_context(counting_bar("putting back", items))
                return True

            return await order(
                table, selection, reason=reason, dry_run=dry_run, confirm=confirm, progress=progress.advance
            )

    result = with_table(table, work)
    if not result.confirmed:
        note("nothing was changed")
        raise typer.Exit(1)
    if json:
        say_json(_json(result, dry_run=dry_run))
    else:
        _show(result, dry_run=dry_run)
    if not result.complete:
        raise typer.Exit(INCOMPLETE)


class _Progress:
    """How far a change is."""

    def __init__(self) -> None:
        self.changed = 0
        self.draw: Callable[[int], None] = lambda _: None

    def advance(self, result: ChangeResult) -> None:
        """Take the result so far."""
        self.changed = result.changed
        self.draw(result.seen)


@contextmanager
def _interruption_noted() -> Iterator[_Progress]:
    import asyncio

    progress = _Progress()
    try:
        yield progress
    except asyncio.CancelledError:
        note(f"interrupted: {plural(progress.changed, 'item')} will run again. hint: repeat the command for the others")
        raise


def _json(result: ChangeResult, *, dry_run: bool) -> dict[str, object]:
    counted = ("selected", "changed", "unchanged", "no_longer_matching", "fenced", "failed")
    row: dict[str, object] = {"dry_run": dry_run, **{name: getattr(result, name) for name in counted}}
    return {**row, "locked": result.locked, **({"item_ids": result.item_ids} if dry_run else {})}


def _show(result: ChangeResult, *, dry_run: bool) -> None:
    for item_id in result.item_ids:
        say(item_id)
    flush()  # ids come first, also where both go to one terminal
    summary = f"{plural(result.changed, 'item')} {'would' if dry_run else 'will'} run again"
    (note if dry_run else say)(summary)
    if result.unchanged:
        note(f"{plural(result.unchanged, 'item')} had nothing to run again")
    if result.locked:
        names = ", ".join(result.locked[:NAMED]) + (", ..." if len(result.locked) > NAMED else "")
        note(f"{plural(len(result.locked), 'item')} left alone, because workers hold them: {names}")
    if left := result.no_longer_matching + result.fenced:
        note(f"{plural(left, 'item')} left alone, because they changed meanwhile")
    if result.failed:
        note(f"{plural(result.failed, 'item')} could not be changed: {result.problem}")

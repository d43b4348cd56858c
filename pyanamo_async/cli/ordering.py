"""Orders to change items: their flags, the question, the bar, and the report on the result."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Annotated, Any

import typer

from pyanamo_async import ChangeOptions, ChangeResult, Selection, Table, UsageError, WorkerCondition
from pyanamo_async.cli.asking import ask, need_terminal
from pyanamo_async.cli.console import flush, note, say, say_json
from pyanamo_async.cli.locked_items import held_by_vanished, note_locked
from pyanamo_async.cli.options import JsonOption, takes
from pyanamo_async.cli.reading import counting_bar
from pyanamo_async.cli.run_async import with_table
from pyanamo_async.cli.selecting import INCOMPLETE, note_scan, shown_ids

LIVING = {WorkerCondition.ALIVE, WorkerCondition.STANDING}

EPILOG = """\b
Exit status:
  0   every selected item is as ordered
  3   some were left as they are: workers hold them, or others changed them, or
      the table has no such items or tasks; or output that was to be deleted, too,
      was not found or not removed
"""


@dataclass(frozen=True, slots=True)
class Wording:
    """What an order is called; `{}` is where the number of items stands."""

    question: str  # without a question mark
    asking: str  # what needs confirmation
    doing: str  # beside the bar
    done: str
    would: str
    unchanged: str
    held: str = ""  # for unchanged items that are held, if that makes a difference
    needs_workers: bool = False  # what is changed waits for a worker


@dataclass(frozen=True, slots=True)
class How:
    """How an order is to be carried out, by its flags."""

    dry_run: bool
    yes: bool
    json: bool
    options: dict[str, Any]


Yes = Annotated[bool, typer.Option("-y", "--yes", help="Do not ask.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Only list the items that would be changed.")]
Reason = Annotated[str, typer.Option("--reason", metavar="TEXT", help="The reason, for the history of the items.")]
Why = Annotated[str, typer.Option("--reason", metavar="TEXT", help="The reason, for those who find the items later.")]
Force = Annotated[
    bool, typer.Option("--force", help="Also end items that run, and wait until their workers let them go.")
]
Now = Annotated[
    bool,
    typer.Option(
        "--now",
        help="Do not wait for workers. Items that run may go on until their workers see the order, 20 s by default.",
    ),
]


def _noted(*, reason: Reason = "", dry_run: DryRun = False, yes: Yes = False, json: JsonOption = False) -> How:
    return How(dry_run, yes, json, {"reason": reason})


def _forcing(
    *,
    reason: Reason = "",
    force: Force = False,
    now: Now = False,
    dry_run: DryRun = False,
    yes: Yes = False,
    json: JsonOption = False,
) -> How:
    return How(dry_run, yes, json, {"reason": reason, "force": force or now, "wait": not now})


def _withdrawing(
    *, reason: Why, now: Now = False, dry_run: DryRun = False, yes: Yes = False, json: JsonOption = False
) -> How:
    if not reason.strip():
        raise UsageError("--reason is empty", hint="say why, for those who find the items later")
    return How(dry_run, yes, json, {"reason": reason, "wait": not now})


notes, forces, withdraws = (takes("how", make) for make in (_noted, _forcing, _withdrawing))
"""Three decorators: each gives a command the flags of one kind of order, and passes them to it as `how`."""


def carry_out(
    table: Table,
    order: Callable[..., Awaitable[ChangeResult]],
    selection: Selection,
    how: How,
    words: Wording,
    **more: object,
) -> None:
    """Ask, change the items, and say what became of them."""
    if not (how.yes or how.dry_run):
        need_terminal(words.asking, "give --yes or --dry-run")

    async def work(table: Table) -> ChangeResult:
        await note_scan(table, selection)
        with ExitStack() as bars, _interruption_noted(words) as progress:

            def confirm(items: int) -> bool:
                if not how.yes and not ask(f"{words.question.format(_items(items))}?"):
                    return False
                progress.draw = bars.enter_context(counting_bar(words.doing, items))
                return True

            asking = ChangeOptions(dry_run=how.dry_run, confirm=confirm, progress=progress.advance)
            return await order(table, selection, **asking, **how.options, **more)

    async def work_and_look(table: Table) -> tuple[ChangeResult, set[str], bool]:
        result = await work(table)
        vanished = await held_by_vanished(table, result.locked)
        looks = words.needs_workers and how.options.get("force") and result.changed and not how.dry_run
        return result, vanished, not looks or any(each.condition in LIVING for each in await table.workers())

    result, vanished, has_workers = with_table(table, work_and_look)
    if not result.confirmed:
        note("nothing was changed")
        raise typer.Exit(1)
    if how.json:
        say_json(_json(result, dry_run=how.dry_run))
    else:
        _show(result, words, dry_run=how.dry_run)
        hint = "--force ends what runs" if how.options.get("force") is False else ""
        note_locked(result.locked, vanished, what="left alone", hint=hint, address=table.address)
    if how.options.get("wait") is False and how.options.get("force", True) and not how.dry_run:
        note("items that run may go on until their workers see the order, with the next heartbeat")
    if not has_workers:
        note("no worker is alive to run them: pyanamo run")
    has_task = bool(result.selected or result.missing) or selection.task is None
    if not has_task:
        note(f"no item that is selected has a task {selection.task}")
    if not (result.complete and has_task):
        raise typer.Exit(INCOMPLETE)


class _Progress:
    """How far a change has come."""

    def __init__(self) -> None:
        self.changed = 0
        self.draw: Callable[[int], None] = lambda _: None
        self._has_waited = False

    def advance(self, result: ChangeResult) -> None:
        """Take the result so far."""
        self.changed = result.changed
        self.draw(result.seen)
        if result.waiting and not self._has_waited:
            self._has_waited = True
            note(f"waiting until workers let {_items(result.waiting)} go, usually within 20 s")


@contextmanager
def _interruption_noted(words: Wording) -> Iterator[_Progress]:
    import asyncio

    progress = _Progress()
    try:
        yield progress
    except asyncio.CancelledError:
        done = words.done.format(_items(progress.changed))
        note(f"interrupted: {done}. hint: repeat the command for the others")
        raise


def _json(result: ChangeResult, *, dry_run: bool) -> dict[str, object]:
    counted = ("selected", "changed", "unchanged", "no_longer_matching", "fenced", "failed")
    row: dict[str, object] = {"dry_run": dry_run, **{name: getattr(result, name) for name in counted}}
    return {
        **row,
        "locked": result.locked,
        "missing": [*result.missing],
        "outputs_not_found": [*result.outputs_not_found],
        "outputs_not_removed": [*result.outputs_not_removed],
        **({"item_ids": result.item_ids} if dry_run else {}),
    }


def _show(result: ChangeResult, words: Wording, *, dry_run: bool) -> None:
    for item_id in result.item_ids:
        say(item_id)
    flush()  # ids come first, also where both go to one terminal
    (note if dry_run else say)((words.would if dry_run else words.done).format(_items(result.changed)))
    held = result.held if words.held else 0
    if unchanged := result.unchanged - held:
        note(words.unchanged.format(_items(unchanged)))
    if held:
        note(words.held.format(_items(held)))
    if left := result.no_longer_matching + result.fenced:
        note(f"{_items(left)} left alone, because {'it' if left == 1 else 'they'} changed meanwhile")
    if result.failed:
        note(f"{_items(result.failed)} could not be changed: {result.problem}")
    if result.missing:
        note(f"the table has no item {shown_ids(result.missing)}")
    _show_outputs(result.outputs_not_found, "not found", "if it was moved, delete it there")
    _show_outputs(result.outputs_not_removed, "not removed", "delete it with the tools of its storage")


def _show_outputs(locations: Sequence[str], what: str, hint: str) -> None:
    if locations:
        was = f"output{' was' if len(locations) == 1 else 's were'}"
        note(f"{len(locations):,} {was} {what} at {shown_ids(locations)}. hint: {hint}")


def _items(count: int) -> str:
    return f"{count:,} item{'' if count == 1 else 's'}"

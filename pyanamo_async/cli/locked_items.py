"""Items that an order leaves alone because workers hold them, and what a person can do about it."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from contextlib import suppress

from pyanamo_async import PyanamoError, Table
from pyanamo_async.cli.console import note
from pyanamo_async.cli.options import command_line
from pyanamo_async.cli.selecting import shown_ids
from pyanamo_async.core.text.plural import plural


async def held_by_vanished(table: Table, locked: Collection[str]) -> set[str]:
    """Return the items among these whose workers are known to have died: those that `pyanamo reclaim` puts back."""
    if locked:
        with suppress(PyanamoError):  # for the sake of a hint, no order fails that was carried out
            return {*locked}.intersection((await table.reclaim(dry_run=True)).item_ids)
    return set()


def note_locked(locked: Sequence[str], vanished: Collection[str], *, what: str, hint: str, address: str) -> None:
    """Note which locked items an order left alone, and why.

    `what` says what was not done to them, after their number; `hint` is given for those whose workers may be alive.
    """
    reclaim = f"`{command_line('reclaim', address)}` puts such items back"
    held = [each for each in locked if each not in vanished]
    left = [each for each in locked if each in vanished]
    for ids, one, several, way in (
        (held, "a worker holds it", "workers hold them", hint),
        (left, "a worker that vanished holds it", "workers that vanished hold them", reclaim),
    ):
        if ids:
            why = f"{plural(len(ids), 'item')} {what}, because {one if len(ids) == 1 else several}: {shown_ids(ids)}"
            note(f"{why}. hint: {way}" if way else why)

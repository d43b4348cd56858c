"""Import a task file: all of it is checked before the first write, then it goes to the table in batches.

Memory holds the ids and a few batches, whatever the size of the file. Importing the same file again changes nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from itertools import islice

from pyanamo_async.core.items import Item, State
from pyanamo_async.core.taskfile import Format, Problem, parse
from pyanamo_async.core.words import many
from pyanamo_async.errors import TableMissing, TaskFileInvalid, UsageError
from pyanamo_async.operate.taskfiles import TaskFile
from pyanamo_async.ports import AddResult, Store

BATCH = 1000
BATCHES_AT_ONCE = 4
SHOWN_PROBLEMS = 50
SHOWN_IDS = 3


class OnExists(StrEnum):
    """What becomes of items that are in the table already."""

    SKIP = "skip"
    FAIL = "fail"
    REPLACE = "replace"


@dataclass(frozen=True, slots=True)
class Contents:
    """What a checked file holds."""

    items: int
    tasks: int


def check(file: TaskFile, form: Format) -> Contents:
    """Read the whole file without writing anything.

    Raises:
        TaskFileInvalid: it has bad lines, the first of which are told, or no items at all.
    """
    items, tasks, bad = 0, 0, 0
    problems: list[str] = []
    for row in parse(file.lines(), form):
        match row:
            case Item():
                items, tasks = items + 1, tasks + len(row.tasks)
            case Problem():
                bad += 1
                if bad <= SHOWN_PROBLEMS:
                    problems.append(str(row))
    if bad:
        lines = many(bad, "bad line")
        if bad > SHOWN_PROBLEMS:
            problems.append(f"... and {bad - SHOWN_PROBLEMS} more")
        raise TaskFileInvalid(
            f"{file.name} has {lines}; nothing was imported", problems, hint="correct them and import again"
        )
    if not items:
        raise TaskFileInvalid(f"{file.name} has no items", [], hint="a header like itemID|TaskID|TaskScript, then rows")
    return Contents(items, tasks)


async def import_items(
    store: Store, file: TaskFile, form: Format, *, on_exists: OnExists, progress: Callable[[int], None]
) -> Counter[AddResult]:
    """Add the items of a checked file and count what became of them; `progress` is told of each batch's size.

    Raises:
        UsageError: `on_exists` is `fail` and items exist, or the file changed since it was checked.
        PyanamoError: the table could not take it; what was written stays, and is skipped the next time.
    """
    if on_exists is OnExists.FAIL:
        _refuse(await _existing(store, file, form), "nothing was imported")
    add = partial(store.add, replace=on_exists is OnExists.REPLACE)
    counts = await add_all(add, _items(file, form), progress)
    if on_exists is OnExists.FAIL:
        _refuse([""] * counts[AddResult.SKIPPED], "somebody else imported them meanwhile")
    return counts


async def add_all(
    add: Callable[[list[Item]], Awaitable[list[AddResult]]], items: Iterable[Item], progress: Callable[[int], None]
) -> Counter[AddResult]:
    """Add items in batches, several at once, and count what became of them; `progress` is told of each batch's size."""
    import asyncio

    counts: Counter[AddResult] = Counter()
    room = asyncio.Semaphore(BATCHES_AT_ONCE)

    async def add_one(batch: list[Item]) -> None:
        try:
            counts.update(await add(batch))
            progress(len(batch))
        finally:
            room.release()

    try:
        async with asyncio.TaskGroup() as adding:
            for batch in _batches(items):
                await room.acquire()
                adding.create_task(add_one(batch), name="import")
                await asyncio.sleep(0)  # the table gets to work on it while the next is read
    except ExceptionGroup as troubles:
        raise troubles.exceptions[0] from troubles  # one is enough to say: the others are of the same table
    return counts


async def rehearse(store: Store, file: TaskFile, form: Format, *, on_exists: OnExists) -> Counter[AddResult]:
    """Count what importing would do, without writing; a table that is missing would be created."""
    try:
        known = await _existing(store, file, form)
        replacing = known and on_exists is OnExists.REPLACE
        locked = {each.item_id async for each in store.summaries(state=State.LOCKED)} if replacing else set()
    except TableMissing:
        known, locked = [], set()
    total = sum(1 for _ in _items(file, form))
    there = AddResult.REPLACED if on_exists is OnExists.REPLACE else AddResult.SKIPPED
    counts = Counter({AddResult.ADDED: total - len(known), there: len(known)})
    if held := len(locked.intersection(known)):
        counts.update({there: -held, AddResult.LOCKED: held})
    return counts


async def _existing(store: Store, file: TaskFile, form: Format) -> list[str]:
    known: list[str] = []
    for batch in _batches(_items(file, form)):
        there = await store.existing([item.item_id for item in batch])
        known += [item.item_id for item in batch if item.item_id in there]
    return known


def _refuse(known: list[str], what: str) -> None:
    if not known:
        return
    names = ", ".join(name for name in known[:SHOWN_IDS] if name)
    more = ", ..." if len(known) > SHOWN_IDS else ""
    raise UsageError(
        f"the table already has {many(len(known), 'item')} of these{f' ({names}{more})' if names else ''}; {what}",
        hint="--on-exists skip leaves them alone, replace overwrites those that no worker holds",
    )


def _items(file: TaskFile, form: Format) -> Iterator[Item]:
    """Read the items again; a line that turned bad since the check is a file that changed.

    Raises:
        UsageError: it did.
    """
    for row in parse(file.lines(), form):
        if isinstance(row, Problem):
            raise UsageError(
                f"{file.name} changed while it was imported: {row}",
                hint="import it again: what is in the table is skipped",
            )
        yield row


def _batches(items: Iterable[Item]) -> Iterator[list[Item]]:
    iterator = iter(items)
    while batch := list(islice(iterator, BATCH)):
        yield batch

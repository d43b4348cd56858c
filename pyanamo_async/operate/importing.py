"""Import a task file: all of it is checked before the first write, then it goes to the table in batches.

Memory holds the ids and a few batches, whatever the size of the file; the items of a moderate one are kept from the
check, which saves a quarter of the CPU. Importing the same file again changes nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from itertools import islice

from pyanamo_async.core.items import Item, State
from pyanamo_async.core.taskfile.parser import Format, Problem, parse
from pyanamo_async.core.text.plural import plural
from pyanamo_async.errors import TableMissing, TaskFileInvalid, UsageError
from pyanamo_async.operate.task_files import TaskFile
from pyanamo_async.ports import AddResult, Clock, Store

BATCH = 1000
BATCHES_AT_ONCE = 4
SHOWN_PROBLEMS = 50
SHOWN_IDS = 3
UNCHANGED = frozenset({AddResult.SKIPPED, AddResult.LOCKED})
MOST_KEPT_ITEMS, MOST_KEPT_BYTES = 200_000, 32 << 20  # some 0.6 KB of memory each, and their scripts


class OnExists(StrEnum):
    """What becomes of items that are in the table already."""

    SKIP = "skip"
    FAIL = "fail"
    REPLACE = "replace"


@dataclass(frozen=True, slots=True)
class Checked:
    """A file every line of which was understood, and what it holds."""

    file: TaskFile
    form: Format
    items: int
    tasks: int
    kept: list[Item] | None = None

    def read(self) -> Iterator[Item]:
        """Read its items, again where they were not kept; bad lines, or more or fewer items, are a file that changed.

        Raises:
            UsageError: it did.
        """
        if self.kept is not None:
            yield from self.kept
            return
        items = 0
        for row in parse(self.file.lines(), self.form):
            if isinstance(row, Problem):
                raise self._changed(str(row))
            items += 1
            yield row
        if items != self.items:
            raise self._changed(f"it had {plural(self.items, 'item')}, now {items}")

    def _changed(self, how: str) -> UsageError:
        return UsageError(
            f"{self.file.name} changed while it was imported: {how}",
            hint="import it again: what is in the table is skipped",
        )


def check(file: TaskFile, form: Format, *, most_kept: int = MOST_KEPT_ITEMS) -> Checked:
    """Read the whole file without writing anything.

    Raises:
        TaskFileInvalid: it has bad lines, the first of which are told, or no items at all.
    """
    items, tasks, bad = 0, 0, 0
    problems: list[str] = []
    kept: list[Item] | None = [] if file.size_bytes() <= MOST_KEPT_BYTES else None
    for row in parse(file.lines(), form):
        match row:
            case Item():
                items, tasks = items + 1, tasks + len(row.tasks)
                kept = _longer(kept, row, most_kept)
            case Problem():
                bad += 1
                if bad <= SHOWN_PROBLEMS:
                    problems.append(str(row))
    if bad:
        lines = plural(bad, "bad line")
        if bad > SHOWN_PROBLEMS:
            problems.append(f"... and {bad - SHOWN_PROBLEMS} more")
        raise TaskFileInvalid(
            f"{file.name} has {lines}; nothing was imported", problems, hint="correct them and import again"
        )
    if not items:
        raise TaskFileInvalid(f"{file.name} has no items", [], hint="a header like itemID|TaskID|TaskScript, then rows")
    return Checked(file, form, items, tasks, kept)


def _longer(kept: list[Item] | None, item: Item, most: int) -> list[Item] | None:
    """Keep one more, or none from the moment there are too many."""
    if kept is None or len(kept) == most:
        return None
    kept.append(item)
    return kept


async def import_items(
    store: Store, checked: Checked, *, on_exists: OnExists, clock: Clock, progress: Callable[[int], None]
) -> Counter[AddResult]:
    """Add the items of a checked file and count what became of them; `progress` is told of each batch's size.

    Raises:
        UsageError: `on_exists` is `fail` and items exist, or the file changed since it was checked.
        PyanamoError: the table could not take it; what was written stays, and is skipped the next time.
    """
    if on_exists is OnExists.FAIL:
        _refuse(await _existing(store, checked), "nothing was imported")

    async def add(batch: list[Item]) -> list[AddResult]:
        results = await store.add(batch, replace=on_exists is OnExists.REPLACE)
        if not UNCHANGED.issuperset(results):
            await store.notify(now=clock.now())
        return results

    counts = await add_all(add, checked.read(), progress)
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


async def rehearse(store: Store, checked: Checked, *, on_exists: OnExists) -> Counter[AddResult]:
    """Count what importing would do, without writing; a table that is missing would be created."""
    try:
        known = await _existing(store, checked)
        replacing = known and on_exists is OnExists.REPLACE
        locked = {each.item_id async for each in store.summaries(state=State.LOCKED)} if replacing else set()
    except TableMissing:
        known, locked = [], set()
    total = checked.items
    there = AddResult.REPLACED if on_exists is OnExists.REPLACE else AddResult.SKIPPED
    counts = Counter({AddResult.ADDED: total - len(known), there: len(known)})
    if held := len(locked.intersection(known)):
        counts.update({there: -held, AddResult.LOCKED: held})
    return counts


async def _existing(store: Store, checked: Checked) -> list[str]:
    known: list[str] = []
    for batch in _batches(checked.read()):
        there = await store.existing([item.item_id for item in batch])
        known += [item.item_id for item in batch if item.item_id in there]
    return known


def _refuse(known: list[str], what: str) -> None:
    if not known:
        return
    names = ", ".join(name for name in known[:SHOWN_IDS] if name)
    more = ", ..." if len(known) > SHOWN_IDS else ""
    raise UsageError(
        f"the table already has {plural(len(known), 'item')} of these{f' ({names}{more})' if names else ''}; {what}",
        hint="--on-exists skip leaves them alone, replace overwrites those that no worker holds",
    )


def _batches(items: Iterable[Item]) -> Iterator[list[Item]]:
    iterator = iter(items)
    while batch := list(islice(iterator, BATCH)):
        yield batch

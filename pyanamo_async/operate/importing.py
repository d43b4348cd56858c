"""Import items: all of them are checked before the first write, then they go to the table in batches.

1. A bad line anywhere means that nothing is written.
2. Importing the same items again changes nothing.
3. Memory holds the ids and a few batches, whatever the size of the file; the items of a file of moderate size are kept
   from the check, which saves a quarter of the CPU time.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from enum import StrEnum
from itertools import islice

import orjson

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
MAX_KEPT_ITEMS, MAX_KEPT_BYTES = 200_000, 32 << 20  # some 0.6 KB of memory each, and their scripts


class OnExists(StrEnum):
    """What becomes of items that are in the table already."""

    SKIP = "skip"
    FAIL = "fail"
    REPLACE = "replace"


@dataclass(frozen=True, slots=True)
class ImportResult:
    """What an import did, or a dry run would do: how many items and tasks were read, and what became of the items.

    `locked` ones were not replaced, because workers hold them. `created` says whether the table was created for them.
    """

    items: int
    tasks: int
    added: int = 0
    skipped: int = 0
    replaced: int = 0
    locked: int = 0
    created: bool = False

    @property
    def written(self) -> int:
        """How many items were dealt with so far."""
        return self.added + self.skipped + self.replaced + self.locked

    def plus(self, counts: Counter[AddResult]) -> ImportResult:
        """Return the result with more items dealt with."""
        return replace(self, **{str(each): getattr(self, each) + counts[each] for each in AddResult})


@dataclass(frozen=True, slots=True)
class CheckedItems:
    """A task file, or rows, in which every line was understood."""

    name: str
    items: int
    tasks: int
    parse: Callable[[], Iterator[Item | Problem]] = field(repr=False)
    kept: list[Item] | None = field(default=None, repr=False)

    def read(self) -> Iterator[Item]:
        """Yield the items, parsed again where they were not kept.

        Raises:
            UsageError: the file changed since it was checked.
        """
        if self.kept is not None:
            yield from self.kept
            return
        items = 0
        for row in self.parse():
            if isinstance(row, Problem):
                raise self._changed(str(row))
            items += 1
            yield row
        if items != self.items:
            raise self._changed(f"it had {plural(self.items, 'item')}, now {items}")

    def _changed(self, how: str) -> UsageError:
        return UsageError(
            f"{self.name} changed while it was imported: {how}",
            hint="import it again: what is in the table is skipped",
        )


def check_file(file: TaskFile, form: Format, *, max_kept: int = MAX_KEPT_ITEMS) -> CheckedItems:
    """Read a whole task file without writing anything.

    Raises:
        TaskFileInvalid: it has bad lines, the first of which are listed, or no items.
    """

    def rows() -> Iterator[Item | Problem]:
        return parse(file.lines(), form)

    return _check(file.name, rows, "line", max_kept=max_kept if file.size_bytes() <= MAX_KEPT_BYTES else 0)


def check_rows(rows: Iterable[Mapping[str, object]]) -> CheckedItems:
    """Check rows with the columns of a task file; they follow the rules of its JSON lines.

    Raises:
        TaskFileInvalid: there are bad rows, the first of which are listed, or none.
    """
    lines = [orjson.dumps(dict(row), default=_plain, option=orjson.OPT_SERIALIZE_NUMPY) for row in rows]
    return _check("the list of rows", lambda: parse(lines, Format()), "row", max_kept=MAX_KEPT_ITEMS)


def _plain(value: object) -> str:
    return f"{value.total_seconds():f}" if isinstance(value, timedelta) else str(value)


def _check(name: str, rows: Callable[[], Iterator[Item | Problem]], unit: str, *, max_kept: int) -> CheckedItems:
    items, tasks, bad = 0, 0, 0
    problems: list[str] = []
    kept: list[Item] | None = []
    for row in rows():
        match row:
            case Item():
                items, tasks = items + 1, tasks + len(row.tasks)
                kept = _longer(kept, row, max_kept)
            case Problem():
                bad += 1
                if bad <= SHOWN_PROBLEMS:
                    problems.append(f"{unit} {row.line}: {row.reason}")
    if bad > SHOWN_PROBLEMS:
        problems.append(f"... and {bad - SHOWN_PROBLEMS} more")
    if bad:
        what = f"{name} has {plural(bad, f'bad {unit}')}; nothing was imported"
        raise TaskFileInvalid(what, problems, hint="correct them and import again")
    if not items:
        hint = "a task file has a header like itemID|TaskID|TaskScript, then rows"
        raise TaskFileInvalid(f"{name} has no items", [], hint=hint)
    return CheckedItems(name, items, tasks, rows, kept)


def _longer(kept: list[Item] | None, item: Item, limit: int) -> list[Item] | None:
    """Keep one more item, or from the limit on none at all."""
    if kept is None or len(kept) == limit:
        return None
    kept.append(item)
    return kept


async def import_items(
    store: Store,
    checked: CheckedItems,
    *,
    on_exists: OnExists,
    shards: int,
    clock: Clock,
    progress: Callable[[ImportResult], None] = lambda _: None,
) -> ImportResult:
    """Add checked items to the table, which is created if missing; `progress` takes the result so far.

    Raises:
        UsageError: `on_exists` is `fail` and items exist, or the file changed since it was checked.
        PyanamoError: the table refused; what was written stays, and is skipped the next time.
    """
    result = ImportResult(checked.items, checked.tasks, created=await store.create(shards=shards))
    progress(result)
    if on_exists is OnExists.FAIL:
        _refuse(await _existing(store, checked), "nothing was imported")

    async def add(batch: list[Item]) -> list[AddResult]:
        nonlocal result
        results = await store.add(batch, replace=on_exists is OnExists.REPLACE)
        if not UNCHANGED.issuperset(results):
            await store.notify(now=clock.now())
        result = result.plus(Counter(results))
        progress(result)
        return results

    await add_all(add, checked.read())
    if on_exists is OnExists.FAIL:
        _refuse([""] * result.skipped, "somebody else imported them meanwhile")
    return result


async def add_all(add: Callable[[list[Item]], Awaitable[list[AddResult]]], items: Iterable[Item]) -> None:
    """Add items in batches, several at once."""
    import asyncio

    room = asyncio.Semaphore(BATCHES_AT_ONCE)

    async def add_one(batch: list[Item]) -> None:
        try:
            await add(batch)
        finally:
            room.release()

    try:
        async with asyncio.TaskGroup() as adding:
            for batch in _batches(items):
                await room.acquire()
                adding.create_task(add_one(batch), name="import")
                await asyncio.sleep(0)  # the table works on it while the next batch is read
    except ExceptionGroup as errors:
        raise errors.exceptions[0] from errors  # one is enough to report: the others concern the same table


async def preview_import(store: Store, checked: CheckedItems, *, on_exists: OnExists) -> ImportResult:
    """Count what importing would do, without writing; a missing table would be created."""
    try:
        known = await _existing(store, checked)
        replacing = known and on_exists is OnExists.REPLACE
        locked = {each.item_id async for each in store.summaries(state=State.LOCKED)} if replacing else set()
    except TableMissing:
        known, locked = [], set()
    held = len(locked.intersection(known))
    there = AddResult.REPLACED if on_exists is OnExists.REPLACE else AddResult.SKIPPED
    counts = {AddResult.ADDED: checked.items - len(known), there: len(known) - held, AddResult.LOCKED: held}
    return ImportResult(checked.items, checked.tasks).plus(Counter(counts))


async def _existing(store: Store, checked: CheckedItems) -> list[str]:
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
        hint="`on_exists` skip leaves them alone, replace overwrites those that no worker holds",
    )


def _batches(items: Iterable[Item]) -> Iterator[list[Item]]:
    iterator = iter(items)
    while batch := list(islice(iterator, BATCH)):
        yield batch

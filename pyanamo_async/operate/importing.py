"""Import checked items: they go to the table in batches, several at once.

1. Importing the same items again changes nothing. Skipped items that the file has otherwise are named.
2. Memory holds the ids and a few batches, whatever the number of items.
"""

from __future__ import annotations

import secrets
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from dataclasses import replace as with_fields
from enum import StrEnum

from pyanamo_async.core.items import Item, State
from pyanamo_async.core.text.plural import plural
from pyanamo_async.core.values import replace
from pyanamo_async.errors import TableMissing, UsageError
from pyanamo_async.operate.changing import Writer
from pyanamo_async.operate.checking import CheckedItems
from pyanamo_async.operate.selecting import pages
from pyanamo_async.operate.updating import SKIPPED, UPDATED, update_existing
from pyanamo_async.ports import AddResult, Clock, Creation, Store

BATCH = 1000
BATCHES_AT_ONCE = 4
SHOWN_IDS = 3
MARK_BYTES = 4  # enough to tell items apart that had one id after another
UNCHANGED = frozenset({AddResult.SKIPPED, AddResult.LOCKED})
RESULTS = (*map(str, AddResult), UPDATED)


class OnExists(StrEnum):
    """What becomes of items that are in the table already."""

    SKIP = "skip"
    FAIL = "fail"
    REPLACE = "replace"
    UPDATE = "update"


@dataclass(frozen=True, slots=True)
class ImportResult:
    """What an import did, or a dry run would do: how many items and tasks were read, and what became of the items.

    `locked` ones were not replaced or updated, because workers hold them. Of the skipped ones, `differing` are not in
    the table as they are in the file, and `unreadable` cannot be compared: `examples` and `unreadable_examples` name
    the first. `creation` says what
    there was to do for the table; None in a dry run.
    """

    items: int
    tasks: int
    added: int = 0
    skipped: int = 0
    replaced: int = 0
    updated: int = 0
    locked: int = 0
    locked_ids: tuple[str, ...] = ()
    differing: int = 0
    examples: tuple[str, ...] = ()
    unreadable: int = 0
    unreadable_examples: tuple[str, ...] = ()
    creation: Creation | None = None

    @property
    def written(self) -> int:
        """How many items were dealt with so far."""
        return sum(getattr(self, each) for each in RESULTS)

    def plus(
        self,
        counts: Mapping[str, int],
        differing: Sequence[str] = (),
        unreadable: Sequence[str] = (),
        locked_ids: Sequence[str] = (),
    ) -> ImportResult:
        """Return the result with more items dealt with, of which these differ, cannot be compared, or are locked."""
        return with_fields(
            self,
            locked_ids=(*self.locked_ids, *locked_ids),
            differing=self.differing + len(differing),
            examples=(*self.examples, *differing)[:SHOWN_IDS],
            unreadable=self.unreadable + len(unreadable),
            unreadable_examples=(*self.unreadable_examples, *unreadable)[:SHOWN_IDS],
            **{each: getattr(self, each) + counts.get(each, 0) for each in RESULTS},
        )


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
    result = ImportResult(checked.items, checked.tasks, creation=await store.create(shards=shards))
    progress(result)
    if on_exists is OnExists.FAIL:
        _refuse(await _existing(store, checked), "nothing was imported")

    writer = Writer(store, clock)

    async def add(batch: list[Item]) -> list[AddResult]:
        nonlocal result
        marked = [replace(item, mark=secrets.token_hex(MARK_BYTES)) for item in batch]
        results = await store.add(marked, replace=on_exists is OnExists.REPLACE)
        if not UNCHANGED.issuperset(results):
            await store.notify(now=clock.now())
        became = {item.item_id: str(each) for item, each in zip(batch, results, strict=True)}
        if on_exists is OnExists.UPDATE:
            became |= await update_existing(writer, [item for item in batch if became[item.item_id] == SKIPPED])
        skipped = [item for item in batch if became[item.item_id] == SKIPPED]
        locked = [item_id for item_id, each in became.items() if each == AddResult.LOCKED]
        compared = await _compare(store, skipped)  # before the sum is read: batches are added at once
        result = result.plus(Counter(became.values()), *compared, locked)
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
            for batch in pages(items, BATCH):
                await room.acquire()
                adding.create_task(add_one(batch), name="import")
                await asyncio.sleep(0)  # the table works on it while the next batch is read
    except ExceptionGroup as errors:
        raise errors.exceptions[0] from errors  # one is enough to report: the others concern the same table


async def preview_import(store: Store, checked: CheckedItems, *, on_exists: OnExists, clock: Clock) -> ImportResult:
    """Count what importing would do, without writing; a missing table would be created."""
    differing: list[str] = []
    unreadable: list[str] = []
    became: dict[str, str] = {}
    try:
        known = await _existing(store, checked)
        if known and on_exists is OnExists.UPDATE:
            for batch in pages(checked.read(), BATCH):
                became |= await update_existing(Writer(store, clock), batch, dry_run=True)
        if known and on_exists is OnExists.SKIP:
            there = {*known}
            for batch in pages((item for item in checked.read() if item.item_id in there), BATCH):
                others, bad = await _compare(store, batch)
                differing += others
                unreadable += bad
        replacing = known and on_exists is OnExists.REPLACE
        locked = {each.item_id async for each in store.summaries(state=State.LOCKED)} if replacing else set()
    except TableMissing:
        known, locked = [], set()
    found = AddResult.REPLACED if on_exists is OnExists.REPLACE else AddResult.SKIPPED
    became = {item_id: became.get(item_id, str(found)) for item_id in known} | dict.fromkeys(
        locked.intersection(known), str(AddResult.LOCKED)
    )
    counts = Counter({str(AddResult.ADDED): checked.items - len(known)}) + Counter(became.values())
    held = [item_id for item_id, each in became.items() if each == AddResult.LOCKED]
    return ImportResult(checked.items, checked.tasks).plus(counts, differing, unreadable, held)


async def _compare(store: Store, items: Sequence[Item]) -> tuple[list[str], list[str]]:
    """Return the ids of those items that the table has with other content, and of those whose rows cannot be read.

    What became of them does not matter.
    """
    there = {item.item_id: item for item in await store.read_many([item.item_id for item in items])} if items else {}
    known = ((item, there[item.item_id]) for item in items if item.item_id in there)
    differing = [item.item_id for item, stored in known if _content(item) != _content(stored)]
    unread = [item.item_id for item in items if item.item_id not in there]
    unreadable = await store.existing(unread) if unread else set()  # others were deleted meanwhile
    return differing, [item_id for item_id in unread if item_id in unreadable]


def _content(item: Item) -> tuple[object, ...]:
    scripts = [(task.name, task.script) for task in item.tasks]
    return (
        item.sample,
        item.nested,
        scripts,
        item.priority,
        item.max_failures,
        item.timeout,
        item.memory_bytes,
        item.cpus,
        item.folders,
    )


async def _existing(store: Store, checked: CheckedItems) -> list[str]:
    known: list[str] = []
    for batch in pages(checked.read(), BATCH):
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
        hint="`on_exists` skip leaves them alone, update changes what differs, replace overwrites them whole",
    )

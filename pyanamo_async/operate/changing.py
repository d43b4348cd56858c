"""Change the items of a selection: one pipeline for every order of a person.

1. The ids are spooled before the first write: a change may move an item within the queue that is being listed.
2. Then each item is read again and the selection asked again. What is written passes the fence, so that an item which
   somebody changed in between stays as they left it.
3. An item that a worker holds is left alone, and named.
4. Repeated, an order only finds less to do.
"""

from __future__ import annotations

import asyncio
import json
import tempfile
from collections.abc import AsyncIterator, Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import blake2b
from typing import IO

from pyanamo_async.core.items import Item, State, Summary
from pyanamo_async.core.selection import Selection
from pyanamo_async.errors import Fenced, SchemaMismatch, StoreError, TableMissing
from pyanamo_async.operate.selecting import pages, select, with_hosts
from pyanamo_async.ports import Store

DIGEST_BYTES = 16
IN_MEMORY_BYTES = 8 << 20  # of ids, beyond which they go to a file

Change = Callable[[Item, Collection[str]], Item]
"""Return what an order makes of an item, given the names of the tasks that are selected; or the item as it is."""


@dataclass(slots=True)
class ChangeResult:
    """What became of the selected items; after a dry run, what would have.

    `unchanged` are those in which there was nothing to change, `no_longer_matching` those that had changed or gone when
    they were read again, `fenced` those that changed at that very moment, and `failed` those that the table refused:
    `problem` says why it refused the first. `locked` are the ids of those that workers hold. After a dry run
    `item_ids` are those that would be changed.
    """

    selected: int = 0
    changed: int = 0
    unchanged: int = 0
    no_longer_matching: int = 0
    fenced: int = 0
    failed: int = 0
    problem: str = ""
    confirmed: bool = True
    locked: list[str] = field(default_factory=list)
    item_ids: list[str] = field(default_factory=list)

    @property
    def seen(self) -> int:
        """How many of the selected items were looked at so far."""
        settled = self.changed + self.unchanged + self.no_longer_matching + self.fenced + self.failed
        return settled + len(self.locked)

    @property
    def complete(self) -> bool:
        """Whether every selected item is now as ordered."""
        return self.confirmed and self.changed + self.unchanged == self.selected


async def change(
    store: Store,
    selection: Selection,
    change_item: Change,
    *,
    now: datetime,
    dry_run: bool = False,
    confirm: Callable[[int], bool] = lambda _: True,
    progress: Callable[[ChangeResult], None] = lambda _: None,
) -> ChangeResult:
    """Change the selected items, unless `confirm`, which takes their number, says no; and tell waiting workers.

    Raises:
        ItemMissing: ids are named that the table does not have; nothing was changed.
    """
    selection = await with_hosts(store, selection)
    with _spool() as file:
        result = ChangeResult(selected=await _write_ids(file, select(store, selection)))
        result.confirmed = not result.selected or dry_run or confirm(result.selected)
        if not result.confirmed:
            return result
        for page in pages(_read_ids(file)):
            before = result.changed
            await _change_page(store, selection, change_item, page, result, dry_run=dry_run)
            if result.changed > before and not dry_run:
                await store.notify(now=now)
            progress(result)
    return result


async def _change_page(
    store: Store, selection: Selection, change_item: Change, page: list[str], result: ChangeResult, *, dry_run: bool
) -> None:
    items = await store.read_many(page)
    unread = {*page} - {item.item_id for item in items}
    unreadable = await store.existing(sorted(unread)) if unread else set()
    result.no_longer_matching += len(unread) - len(unreadable)
    if unreadable:
        result.failed += len(unreadable)
        result.problem = result.problem or f"item {min(unreadable)} cannot be read"
    changes: list[tuple[Item, Item]] = []
    for item in items:
        tasks = {task.name for task in selection.matching_tasks(item)}
        if not tasks:
            result.no_longer_matching += 1
        elif item.state is State.LOCKED:
            result.locked.append(item.item_id)
        elif (after := change_item(item, tasks)) is item:
            result.unchanged += 1
        else:
            changes.append((item, after))
    if dry_run:
        result.changed += len(changes)
        result.item_ids += [item.item_id for item, _ in changes]
        return
    written = await asyncio.gather(*(store.save(item, after) for item, after in changes), return_exceptions=True)
    for problem in written:
        _count(problem, result)


def _count(problem: BaseException | None, result: ChangeResult) -> None:
    match problem:
        case None:
            result.changed += 1
        case Fenced():
            result.fenced += 1
        case StoreError() if not isinstance(problem, TableMissing | SchemaMismatch):
            result.failed += 1
            result.problem = result.problem or str(problem)
        case _:
            raise problem


@contextmanager
def _spool() -> Iterator[IO[str]]:
    with tempfile.SpooledTemporaryFile(IN_MEMORY_BYTES, "w+", encoding="utf-8") as file:
        yield file


async def _write_ids(file: IO[str], summaries: AsyncIterator[Summary]) -> int:
    """Write each id once, as a JSON line whatever characters it has, and return their number.

    An item that moves on meanwhile is listed in each queue that it passes. Digests of ids take a third of their memory.
    """
    known: set[bytes] = set()
    async for each in summaries:
        digest = blake2b(each.item_id.encode(errors="surrogatepass"), digest_size=DIGEST_BYTES).digest()
        if digest not in known:
            known.add(digest)
            file.write(json.dumps(each.item_id) + "\n")
    file.seek(0)
    return len(known)


def _read_ids(file: IO[str]) -> Iterator[str]:
    for line in file:
        yield json.loads(line)

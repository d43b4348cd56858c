"""Change the items of a selection: one pipeline for every order of a person.

1. The ids are spooled before the first write: a change may move an item within the queue that is being listed.
2. Then each item is read again and the selection asked again. What is written passes the fence, so that an item which
   somebody changed in between is read once more, and judged as they left it.
3. An item that a worker holds is left alone, and named; unless the order is forced (`operate.forcing`).
4. Repeated, an order only finds less to do.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol, TypedDict

from pyanamo_async.core.items import CLAIMABLE, Item, State
from pyanamo_async.core.selection import Selection
from pyanamo_async.errors import Fenced, SchemaMismatch, StoreError, TableMissing
from pyanamo_async.operate.selecting import pages, select, with_hosts
from pyanamo_async.operate.spool import SpooledIds
from pyanamo_async.ports import Clock, Store

Change = Callable[[Item, Collection[str]], Item | None]
"""Return what an order makes of an item, given the names of the tasks that are selected; or the item as it is.

None means that the item is to be deleted.
"""


@dataclass(slots=True)
class ChangeResult:
    """What became of the selected items; after a dry run, what would have.

    `unchanged` are those in which there was nothing to change, `no_longer_matching` those that had changed or gone when
    they were read again, `fenced` those that changed at that very moment, and `failed` those that the table refused:
    `problem` says why it refused the first. `locked` are the ids of those that workers hold, `waiting` says how many of
    them are to be let go. `missing` are ids that the table does not have; `held` says how many of the unchanged are
    held. After a dry run `item_ids` are those that would be changed. Of output that was to be deleted, too,
    `outputs_not_found` are locations in records where nothing was, and `outputs_not_removed` what may still be there.
    """

    selected: int = 0
    changed: int = 0
    unchanged: int = 0
    held: int = 0
    no_longer_matching: int = 0
    fenced: int = 0
    failed: int = 0
    problem: str = ""
    confirmed: bool = True
    waiting: int = 0
    locked: list[str] = field(default_factory=list)
    missing: Sequence[str] = ()
    item_ids: list[str] = field(default_factory=list)
    outputs_not_found: Sequence[str] = ()
    outputs_not_removed: Sequence[str] = ()

    @property
    def seen(self) -> int:
        """How many of the selected items were looked at so far."""
        settled = self.changed + self.unchanged + self.no_longer_matching + self.fenced + self.failed
        return settled + len(self.locked)

    @property
    def complete(self) -> bool:
        """Whether every selected item is now as ordered."""
        is_gone = not (self.outputs_not_found or self.outputs_not_removed)
        return self.confirmed and not self.missing and is_gone and self.changed + self.unchanged == self.selected


class ChangeOptions(TypedDict, total=False):
    """How items are changed.

    `confirm` takes the number of items before anything is changed, and may say no; `progress` takes the result so far.
    With `dry_run` nothing is changed, and the result names the items.
    """

    dry_run: bool
    confirm: Callable[[int], bool]
    progress: Callable[[ChangeResult], None]


class OrderOptions(ChangeOptions, total=False):
    """How an order is carried out: as `ChangeOptions`, and these.

    `reason` goes into the history of the items. An item that a worker holds is left alone, and named in the result.
    With `force` its worker is told to end it, which it hears with its next heartbeat, and the item is changed once it
    was let go. With `wait=False` as well it is taken at once: its script may run on until then, even beside the next
    attempt.
    """

    reason: str
    force: bool
    wait: bool


class Force(Protocol):
    """Changes items that workers hold."""

    async def __call__(self, held: Mapping[str, Collection[str]], change_item: Change, result: ChangeResult, /) -> None:
        """Change these items, of which the selected tasks are given, and add to the result what became of them."""
        ...


Written = Callable[[Item, Item | None], Awaitable[None]]
"""Is awaited for each change that was written, with the item before it."""


@dataclass(frozen=True, slots=True)
class Writer:
    """Writes changes through the fence."""

    store: Store
    clock: Clock
    written: Written | None = None

    async def write(self, changes: Collection[tuple[Item, Item | None]]) -> list[BaseException | None]:
        """Write several at once, and return what became of each; tell workers that wait what they may claim."""
        store = self.store
        writes = (store.remove(item) if after is None else store.save(item, after) for item, after in changes)
        problems = await asyncio.gather(*writes, return_exceptions=True)
        done = [change for change, problem in zip(changes, problems, strict=True) if problem is None]
        if self.written:
            for change in done:
                await self.written(*change)
        if any(after and after.state in CLAIMABLE for _, after in done):
            await store.notify(now=self.clock.now())
        return problems


async def change(
    writer: Writer,
    selection: Selection,
    change_item: Change,
    *,
    force: Force | None = None,
    dry_run: bool = False,
    confirm: Callable[[int], bool] = lambda _: True,
    progress: Callable[[ChangeResult], None] = lambda _: None,
) -> ChangeResult:
    """Change the selected items, unless `confirm`, which takes their number, says no."""
    missing: list[str] = []
    selection = replace(await with_hosts(writer.store, selection), on_missing=missing.extend)
    held: dict[str, Collection[str]] = {}
    with SpooledIds() as ids:
        async for summary in select(writer.store, selection):
            ids.add(summary.item_id)
        result = ChangeResult(selected=len(ids), missing=missing)
        result.confirmed = not result.selected or dry_run or confirm(result.selected)
        if not result.confirmed:
            return result
        for page in pages(ids):
            held |= await _change_page(writer, selection, change_item, page, result, dry_run=dry_run)
            if force is None:
                result.locked += held
                held = {}
            progress(result)
    if force and dry_run:
        result.changed += len(held)
        result.item_ids += held
    elif force and held:
        await force(held, change_item, result)
    return result


async def _change_page(
    writer: Writer,
    selection: Selection,
    change_item: Change,
    page: list[str],
    result: ChangeResult,
    *,
    dry_run: bool,
    again: bool = True,
) -> dict[str, Collection[str]]:
    """Change what nobody holds; return the tasks that are selected of what workers hold, by item.

    What was fenced is done `again`.
    """
    store = writer.store
    items = await store.read_many(page)
    unread = {*page} - {item.item_id for item in items}
    unreadable = await store.existing(sorted(unread)) if unread else set()
    result.no_longer_matching += len(unread) - len(unreadable)
    if unreadable:
        result.failed += len(unreadable)
        result.problem = result.problem or f"item {min(unreadable)} cannot be read"
    changes: list[tuple[Item, Item | None]] = []
    held: dict[str, Collection[str]] = {}
    for item in items:
        tasks = {task.name for task in selection.matching_tasks(item)}
        if not tasks:
            result.no_longer_matching += 1
        elif (after := change_item(item, tasks)) is item:
            result.unchanged += 1
            result.held += item.state is State.PENDING
        elif item.state is State.LOCKED:
            held[item.item_id] = tasks
        else:
            changes.append((item, after))
    if dry_run:
        result.changed += len(changes)
        result.item_ids += [item.item_id for item, _ in changes]
        return held
    fenced: list[str] = []
    for (item, _), problem in zip(changes, await writer.write(changes), strict=True):
        if again and isinstance(problem, Fenced):
            fenced.append(item.item_id)
        else:
            count(problem, result)
    if fenced:
        held |= await _change_page(writer, selection, change_item, fenced, result, dry_run=False, again=False)
    return held


def count(problem: BaseException | None, result: ChangeResult) -> None:
    """Count what became of a write.

    Raises:
        PyanamoError: it concerns the whole table.
    """
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

"""Give rows of another program their place in the queue: the original's imports, and what its manager changed.

1. What somebody may be running is left alone: what the original locked, unless a person says that none of its workers
   runs any more, and what a living worker of ours held when its state was changed.
2. A write passes only if the row is as it was seen. Repeated, an adoption only finds less to do.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from pyanamo_async.core.items import Item, State
from pyanamo_async.core.orders import reset
from pyanamo_async.core.stored.adoption import adopted
from pyanamo_async.core.stored.queue_key import state_in
from pyanamo_async.core.values import replace
from pyanamo_async.core.workers import WorkerState
from pyanamo_async.errors import BadRow, RowTooLarge
from pyanamo_async.operate.importing import MARK_BYTES
from pyanamo_async.ports import Store

PAGE = 100


@dataclass(slots=True)
class AdoptResult:
    """How many items were given their place, or after a dry run would be (`item_ids`).

    `locked` are the ids of those that somebody may be running. `fenced` changed at that very moment, and `failed` have
    no room in their rows.
    """

    adopted: int = 0
    fenced: int = 0
    failed: int = 0
    locked: list[str] = field(default_factory=list)
    item_ids: list[str] = field(default_factory=list)

    @property
    def complete(self) -> bool:
        """Whether no such item is left."""
        return not (self.fenced or self.failed or self.locked)


async def adopt(store: Store, *, locked: bool, dry_run: bool, now: datetime) -> AdoptResult:
    """Adopt all rows of other programs, in one pass over the table; with `locked` also what the original locked."""
    result = AdoptResult()
    living = {each.worker_id for each in await store.workers() if each.state is WorkerState.RUNNING}
    found: list[tuple[BadRow, Item]] = []
    async for bad in store.unreadable():
        item = adopted(bad.row, now=now)
        if item is None:
            continue  # a bad row, which `doctor` names
        if _is_held(bad, living) or (item.state is State.LOCKED and not locked):
            result.locked.append(item.item_id)
        elif dry_run:
            result.adopted += 1
            result.item_ids.append(item.item_id)
        else:
            free = reset(replace(item, state=State.TODO)) if item.state is State.LOCKED else item
            found.append((bad, replace(free, mark=free.mark or secrets.token_hex(MARK_BYTES))))
        if len(found) == PAGE:
            await _write(store, found, result, now=now)
            found = []
    await _write(store, found, result, now=now)
    return result


async def _write(store: Store, found: Sequence[tuple[BadRow, Item]], result: AdoptResult, *, now: datetime) -> None:
    written = await asyncio.gather(*(store.adopt(bad, item) for bad, item in found), return_exceptions=True)
    for each in written:
        match each:
            case bool(is_adopted):
                result.adopted += is_adopted
                result.fenced += not is_adopted
            case RowTooLarge():
                result.failed += 1
            case _:
                raise each
    if any(each is True for each in written):
        await store.notify(now=now)


def _is_held(bad: BadRow, living: set[str]) -> bool:
    """Return whether a living worker held a row when another program changed its state, and may run it still."""
    return state_in(str(bad.row.get("Queue", ""))) == State.LOCKED and bad.row.get("Queue_Key") in living

"""Bring items that are in the table in line with a file.

What a worker holds is left alone, and so is what somebody changes again and again at the same time.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence

from pyanamo_async.core.editing import update
from pyanamo_async.core.items import Item, State
from pyanamo_async.errors import Fenced
from pyanamo_async.operate.changing import Writer

TRIES = 3
SKIPPED, UPDATED, LOCKED = "skipped", "updated", "locked"


async def update_existing(writer: Writer, items: Sequence[Item], *, dry_run: bool = False) -> Mapping[str, str]:
    """Update items that exist; return by id what became of each: `skipped` when it is as in the file already."""
    wanted, token = {item.item_id: item for item in items}, secrets.token_hex(8)
    done = dict.fromkeys(wanted, SKIPPED)  # what was deleted meanwhile, too
    left = [*wanted]
    for _ in range(TRIES):
        changes: list[tuple[Item, Item | None]] = []
        for stored in await writer.store.read_many(left) if left else ():
            after = update(stored, wanted[stored.item_id], now=writer.clock.now(), token=token)
            if after is stored:
                continue
            if stored.state is State.LOCKED:
                done[stored.item_id] = LOCKED
            else:
                done[stored.item_id] = UPDATED
                changes.append((stored, after))
        left = []
        for (before, _), problem in zip(changes, [] if dry_run else await writer.write(changes), strict=not dry_run):
            if isinstance(problem, Fenced):
                left.append(before.item_id)
                done[before.item_id] = LOCKED
            elif problem:
                raise problem
    return done

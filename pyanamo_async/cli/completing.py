"""What a shell completes: states of items, and the ids of a table.

1. A shell that completes hears of no error: where ids cannot be read, or not at once, there are none.
2. Only ids that a shell takes as they are: some shells evaluate what they are offered, and an id is anybody's text.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator

import typer

from pyanamo_async import State, Table, open_table

MOST_IDS = 200
WITHIN_SECONDS = 1.0  # a person waits at the prompt
PLAIN_ID = re.compile(r"[A-Za-z0-9_.@%+=,/][A-Za-z0-9_.@%+=,/:-]*")


def complete_states(incomplete: str) -> list[str]:
    """Return the states that begin so, in any case, which stays as typed; several may stand behind commas."""
    last = incomplete.rpartition(",")[2]
    return [incomplete + state[len(last) :] for state in State if state.casefold().startswith(last.casefold())]


def complete_items(ctx: typer.Context, incomplete: str) -> list[str]:
    """Return ids that begin so, of the table that the command line or the environment names."""
    try:
        table = open_table(ctx.params["table"], region=ctx.params.get("region"))
        return asyncio.run(_ids(table, incomplete))
    except Exception:  # noqa: BLE001 - see above
        return []


async def _ids(table: Table, beginning: str) -> list[str]:
    found: list[str] = []
    async with table:
        try:
            async with asyncio.timeout(WITHIN_SECONDS):
                async for item_id in _plain_ids(table):
                    if item_id.startswith(beginning):
                        found.append(item_id)
                    if len(found) == MOST_IDS:
                        break
        except TimeoutError:
            pass
    return found


async def _plain_ids(table: Table) -> AsyncIterator[str]:
    async for item in table.items():
        if PLAIN_ID.fullmatch(item.item_id):
            yield item.item_id

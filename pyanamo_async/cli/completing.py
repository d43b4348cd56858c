"""Complete states of items and ids of a table for a shell.

1. Completion reports no error: if ids cannot be read, or not within a second, it offers none.
2. It offers only ids that need no quotes: some shells evaluate what they are offered, and an id may be any text.
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
    """Return the states that begin like this, whatever the case; commas may separate several."""
    last = incomplete.rpartition(",")[2]
    return [incomplete + state[len(last) :] for state in State if state.casefold().startswith(last.casefold())]


def complete_items(ctx: typer.Context, incomplete: str) -> list[str]:
    """Return ids that begin like this, from the table that the command line or the environment names."""
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

"""List items with any of their stored fields, in any order.

Fields that the queue index holds as they are stored are read from there; for others the items are read whole.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import replace

import msgspec

from pyanamo_async.core.items import DEFAULT_PRIORITY, Summary
from pyanamo_async.core.names import find_name
from pyanamo_async.core.selection import Selection
from pyanamo_async.core.stored.columns import Row
from pyanamo_async.core.stored.record import ITEM, SUMMARY, encode, encode_summary
from pyanamo_async.operate.row_files import sort_rows
from pyanamo_async.operate.selecting import select, select_items, summary_of
from pyanamo_async.ports import Store

OF_TASKS = ("TaskScript", "ItemState", "Log", "Log_Length", "Nested_Tasks", "Attempts", "Failures")
FIELDS = tuple(dict.fromkeys((*ITEM.names, *OF_TASKS)))
"""The attributes of an item that can be listed."""

INDEXED = frozenset({"ItemState", *SUMMARY.names}) - {"InstanceID", "Done_Date"}  # these two of some states only
ALIASES = {
    "id": "itemID",
    "sample": "taskID",
    "state": "ItemState",
    "worker": "InstanceID",
    "script": "TaskScript",
    "tasks": "Nested_Tasks",
    "since": "Done_Date",
    "remark": "Reason",
}  # as expressions and the heads of the listing have it
_KNOWN = {name.casefold(): name for name in FIELDS} | ALIASES

Listed = tuple[Summary, Row]


def find_field(name: str, argument: str) -> str:
    """Return the stored name of a field, given in any case, or as expressions and the listing call it.

    Raises:
        UsageError: there is none.
    """
    return find_name(name, _KNOWN, argument=argument, owner="item", names=FIELDS, called="fields")


async def list_items(
    store: Store, selection: Selection, fields: Iterable[str], *, sort: str | None, reverse: bool
) -> AsyncIterator[Listed]:
    """Yield the selected items, in summary and as stored rows that have at least these fields, if the item has them.

    With `sort`, the name of a field, the selection's limit counts in that order.
    """
    wanted = {*fields, sort} - {None}
    if sort is None:
        async for listed in _read(store, selection, whole=not wanted <= INDEXED):
            yield listed
        return
    found = _read(store, replace(selection, limit=None), whole=not wanted <= INDEXED)
    decode = msgspec.msgpack.Decoder(Listed).decode
    async for listed in sort_rows(
        found, lambda each: _value(each[1], sort), decode, reverse=reverse, limit=selection.limit
    ):
        yield listed


def fields_of(row: Row, fields: Sequence[str]) -> Row:
    """Return these fields of a stored row, None where it has none; a priority that is not stored is the usual one."""
    return {name: _value(row, name) for name in fields}


def _value(row: Row, name: str) -> object:
    return row.get(name, DEFAULT_PRIORITY if name == "Priority" else None)


async def _read(store: Store, selection: Selection, *, whole: bool) -> AsyncIterator[Listed]:
    if whole:
        async for item in select_items(store, selection):
            yield summary_of(item), encode(item)
    else:
        async for summary in select(store, selection):
            yield summary, encode_summary(summary)

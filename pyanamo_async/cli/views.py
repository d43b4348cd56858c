"""Listings and descriptions of tables, for people and as JSON."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Iterator
from datetime import UTC, datetime, timedelta
from typing import TypeVar

from msgspec import to_builtins

from pyanamo_async import Counts, Creation, Description
from pyanamo_async.cli.console import on_terminal, say
from pyanamo_async.cli.listing import Column, Row
from pyanamo_async.core.items import State, Summary
from pyanamo_async.core.stored.queue_key import format_time
from pyanamo_async.core.text.byte_sizes import show_size
from pyanamo_async.core.text.plural import plural

T = TypeVar("T")

COLOURS: dict[str, str] = {  # of states of items, and of tasks, which have the same names
    State.TODO: "cyan",
    State.LOCKED: "yellow",
    State.DONE: "green",
    State.FAILED: "red",
    State.WALL_TIME_EXCEEDED: "magenta",
    State.PENDING: "blue",
}
RETRYING, RETRYING_COLOUR = "retrying", "yellow"  # of those in `todo`
RECENT = timedelta(hours=20)
LIST_COLUMNS = (
    Column("itemID"),
    Column("taskID", rank=4),
    Column("state", rank=1),
    Column("tasks", rank=5, right=True),
    Column("attempt", rank=6, right=True),
    Column("since", rank=3),
    Column("remark", rank=2, cut=True),
)


def list_row(each: Summary) -> Row:
    """Return one line of a listing; a terminal, where room is scarce, has short times, and says which retry."""
    is_retrying = each.is_retrying and on_terminal()
    show_time = short_time if on_terminal() else clock_time
    waits = f"waits until {show_time(each.not_before)}; " if each.not_before else ""
    remark = f"held by {each.worker}" if each.state is State.LOCKED else f"{waits}{each.reason}"
    fields = (
        each.item_id,
        each.sample,
        RETRYING if is_retrying else str(each.state),
        f"{each.tasks_done}/{each.tasks}",
        str(each.attempt),
        show_time(each.since) if each.since else "",
        remark,
    )
    return Row(fields, RETRYING_COLOUR if is_retrying else COLOURS[each.state])


def shown_creation(creation: Creation | None, address: str) -> str:
    """Return what was done so that a table is ready; empty if nothing was."""
    match creation:
        case Creation.CREATED:
            return f"created table {address}"
        case Creation.COMPLETED:
            return f"made table {address} ready, which existed and was empty"
        case Creation.FOUND | None:
            return ""


def by_state(counts: Counts) -> dict[str, int]:
    """Return the number of items in each state, in the order of states."""
    return {str(state): counts.items.get(state, 0) for state in State}


async def one_by_one(values: Iterable[T]) -> AsyncIterator[T]:
    """Yield values one by one, for functions that take an async iterator."""
    for value in values:
        yield value


def clock_time(time: datetime) -> str:
    """Format a time for people, to the second, in UTC."""
    return f"{time.astimezone(UTC):%Y-%m-%d %H:%M:%S}Z"


def short_time(time: datetime) -> str:
    """Format a time briefly: the time of day if it is recent, else the date."""
    is_recent = abs(datetime.now(UTC) - time) < RECENT
    return f"{time.astimezone(UTC):%H:%M:%SZ}" if is_recent else f"{time.astimezone(UTC):%Y-%m-%d}"


def description_row(seen: Description, counts: Counts, *, table: str) -> dict[str, object]:
    """Return a description for JSON."""
    row: dict[str, object] = to_builtins(seen)
    del row["extra_indexes"]
    created = format_time(seen.created) if seen.created else None
    return row | {"table": table, "created": created, "items": by_state(counts), "total": counts.total}


def show_description(seen: Description, counts: Counts, *, table: str, after: int | None) -> None:
    """Show a table's description, with its setting of last attempts."""
    for name, value in (*_description_lines(seen, counts, table), *_last_attempts_lines(after)):
        say(f"{name:<9}{value}" if on_terminal() else f"{name}:\t{value}")


def _description_lines(seen: Description, counts: Counts, table: str) -> Iterator[tuple[str, str]]:
    yield "table", table
    yield "output", f"stored under {seen.output_namespace}"
    yield "keys", ", ".join(seen.keys)
    for index in seen.indexes:
        yield "index", f"{index.name} ({', '.join(index.keys)}), {index.projection}"
    yield "shards", str(seen.shards)
    yield "schema", f"version {seen.schema_version}"
    yield "billing", seen.billing
    if seen.status:
        yield "status", seen.status
    if seen.size_bytes is not None:
        yield "size", show_size(seen.size_bytes)
    if seen.created:
        yield "created", format_time(seen.created)
    yield "items", ", ".join(f"{count} {state}" for state, count in by_state(counts).items())


def _last_attempts_lines(after: int | None) -> Iterator[tuple[str, str]]:
    if after is not None:
        yield "last", left_after(after)


def left_after(after: int) -> str:
    """Return what the setting of last attempts means."""
    return f"items that lost their machine {plural(after, 'time')} are left to workers with --last-attempts"

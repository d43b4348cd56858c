"""Status, listings and descriptions of tables, for people and as JSON."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from pyanamo_async import Description, Status
from pyanamo_async.cli.console import draw, on_terminal, say
from pyanamo_async.cli.listing import Column, Row
from pyanamo_async.core.items import Counts, State, Summary, TaskState
from pyanamo_async.core.stored.queue_key import format_time
from pyanamo_async.core.text.byte_sizes import show_size
from pyanamo_async.core.text.durations import show_duration

COLOURS = {
    State.TODO: "cyan",
    State.LOCKED: "yellow",
    State.DONE: "green",
    State.FAILED: "red",
    State.WALL_TIME_EXCEEDED: "magenta",
}
RETRYING, RETRYING_COLOUR = "retrying", "yellow"  # of those in `todo`
BAR_WIDTH = 24
RECENT = timedelta(hours=20)
BESIDE_THE_BAR = 38  # cells of the other columns, with items in the billions
LIST_COLUMNS = (
    Column("itemID"),
    Column("taskID", rank=4),
    Column("state", rank=1),
    Column("tasks", rank=5, right=True),
    Column("attempt", rank=6, right=True),
    Column("since", rank=3),
    Column("remark", rank=2, cut=True),
)


def status_row(seen: Status) -> dict[str, object]:
    """Return a status for JSON."""
    return {
        "table": seen.table,
        "items": {str(state): seen.counts.items.get(state, 0) for state in State},
        "retrying": seen.counts.retrying,
        "total": seen.counts.total,
        "tasks": _tasks(seen.counts),
    }


def show_status(seen: Status) -> None:
    """Show how many items are in which state, and how long the rest will take."""
    if on_terminal():
        _draw_status(seen)
        return
    say(f"table\t{seen.table}")
    for name, count in (*((state, seen.counts.items.get(state, 0)) for state in State), ("total", seen.counts.total)):
        say(f"{name}\t{count}")
    say(f"retrying\t{seen.counts.retrying}")
    for name, count in _tasks(seen.counts).items():
        say(f"tasks {name}\t{count}")


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


def clock_time(time: datetime) -> str:
    """Format a time for people, to the second, in UTC."""
    return f"{time.astimezone(UTC):%Y-%m-%d %H:%M:%S}Z"


def short_time(time: datetime) -> str:
    """Format a time as short as it is plain: of the last hours without its day, of an earlier day without its hour."""
    is_recent = abs(datetime.now(UTC) - time) < RECENT
    return f"{time.astimezone(UTC):%H:%M:%SZ}" if is_recent else f"{time.astimezone(UTC):%Y-%m-%d}"


def description_row(seen: Description, counts: Counts, *, table: str) -> dict[str, object]:
    """Return a description for JSON."""
    return {
        "table": table,
        "output_namespace": seen.output_namespace,
        "keys": list(seen.keys),
        "indexes": [
            {"name": each.name, "keys": list(each.keys), "projection": each.projection} for each in seen.indexes
        ],
        "shards": seen.shards,
        "schema_version": seen.schema_version,
        "billing": seen.billing,
        "status": seen.status,
        "size_bytes": seen.size_bytes,
        "created": format_time(seen.created) if seen.created else None,
        "items": {str(state): counts.items.get(state, 0) for state in State},
        "total": counts.total,
    }


def show_description(seen: Description, counts: Counts, *, table: str) -> None:
    """Show a table's description."""
    between = ":\t" if not on_terminal() else ""
    for name, value in _description_lines(seen, counts, table):
        say(f"{name}{between}{value}" if between else f"{name:<9}{value}")


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
    yield "items", ", ".join(f"{counts.items.get(state, 0)} {state}" for state in State)


def _tasks(counts: Counts) -> dict[str, int]:
    by_state = {str(state): counts.tasks.get(state, 0) for state in TaskState}
    return {"total": sum(by_state.values()), **by_state}


def _draw_status(seen: Status) -> None:
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    total = seen.counts.total
    bar_width = max(0, min(BAR_WIDTH, Console().width - BESIDE_THE_BAR))
    say(seen.table)
    table = Table(box=SIMPLE_HEAD, show_footer=True, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column("state", footer="total", no_wrap=True)
    table.add_column("items", footer=f"{total:,}", justify="right", no_wrap=True)
    table.add_column("", justify="right", no_wrap=True)
    table.add_column("", width=bar_width, no_wrap=True)
    for name, count, colour in _shares(seen.counts):
        share = count / total if total else 0.0
        bar = "\N{FULL BLOCK}" * (round(share * bar_width) or (1 if count else 0))
        cells = (name, f"{count:,}", f"{share:.1%}" if count else "", bar)
        table.add_row(*(Text(cell, style=colour if count else "dim") for cell in cells))
    draw(table)
    for line in _status_lines(seen):
        say(f"  {line}")


def _shares(counts: Counts) -> Iterator[tuple[str, int, str]]:
    """Yield what a state is called, how many items are in it, and its colour; of `todo` also those that retry."""
    for state in State:
        yield str(state), counts.items.get(state, 0), COLOURS[state]
        if state is State.TODO and counts.retrying:
            yield f"- {RETRYING}", counts.retrying, RETRYING_COLOUR


def _status_lines(seen: Status) -> Iterator[str]:
    tasks = _tasks(seen.counts)
    if tasks["total"] != seen.counts.total:
        failed = f", {tasks['failed']:,} failed" if tasks["failed"] else ""
        yield f"tasks: {tasks['done']:,} of {tasks['total']:,} done{failed}"
    if seen.workers:
        pace = f", {seen.items_per_second:.3g} items/s" if seen.items_per_second else ""
        left = f", about {show_duration(seen.time_left)} left" if seen.time_left else ""
        yield f"workers: {seen.workers}{pace}{left}"

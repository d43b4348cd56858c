"""`pyanamo status`, `list` and `show`: what is in the table."""

from __future__ import annotations

from collections.abc import Iterator

from pyanamo_async import Counts, State, Status, Summary, Table, TaskState
from pyanamo_async.cli.console import Row, on_terminal, say, say_json, say_json_list, say_table
from pyanamo_async.cli.item_view import show_item
from pyanamo_async.cli.options import ItemArgument, JsonOption, SampleOption, StateOption, on_table
from pyanamo_async.cli.views import COLOURS, by_state, clock_time, one_by_one
from pyanamo_async.core.stored.record import encode, encode_summary
from pyanamo_async.core.text.durations import show_duration

BAR_WIDTH = 24
LIST_COLUMNS = ("itemID", "taskID", "state", "tasks", "attempt", "since", "remark")


@on_table
async def status(table: Table, *, json: JsonOption = False) -> None:
    """Show the table's progress: items by state, tasks, pace."""
    seen = await table.status()
    items, total, tasks = by_state(seen.counts), seen.counts.total, _tasks(seen.counts)
    if json:
        say_json([{"table": seen.table, "items": items, "total": total, "tasks": tasks}])
    elif on_terminal():
        say(seen.table)
        await say_table(("state", "items", "", ""), one_by_one(_bars(items, total)))
        for line in _pace(seen, tasks):
            say(line)
    else:
        lines = {"table": seen.table, **items, "total": total} | {f"tasks {name}": tasks[name] for name in tasks}
        for name, value in lines.items():
            say(f"{name}\t{value}")


@on_table
async def list_items(
    table: Table,
    *,
    state: StateOption = None,
    sample: SampleOption = None,
    json: JsonOption = False,
) -> None:
    """List items, in the order of state and then of time."""
    items = table.items(state=state, sample=sample)
    if json:
        await say_json_list(encode_summary(each) async for each in items)
    else:
        await say_table(LIST_COLUMNS, (_list_row(each) async for each in items))


@on_table
async def show(table: Table, *, item: ItemArgument, json: JsonOption = False) -> None:
    """Show everything known of one item.

    Its scripts, how their last attempts ended, what they used and what they printed.
    """
    found = await table.item(item)
    if json:
        say_json(encode(found))
    else:
        show_item(found)


def _tasks(counts: Counts) -> dict[str, int]:
    by_state = {str(state): counts.tasks.get(state, 0) for state in TaskState}
    return {"total": sum(by_state.values()), **by_state}


def _bars(items: dict[str, int], total: int) -> Iterator[Row]:
    for state, count in items.items():
        share = count / total if total else 0.0
        bar = "\N{FULL BLOCK}" * (round(share * BAR_WIDTH) or bool(count))
        percent = f"{share:>6.1%}" if count else ""
        yield Row((state, f"{count:>9,}", percent, bar), COLOURS[state] if count else "dim")
    yield Row(("total", f"{total:>9,}", "", ""))


def _pace(seen: Status, tasks: dict[str, int]) -> Iterator[str]:
    if tasks["total"] != seen.counts.total:
        failed = f", {tasks['failed']:,} failed" if tasks["failed"] else ""
        yield f"tasks: {tasks['done']:,} of {tasks['total']:,} done{failed}"
    if seen.workers:
        pace = f", {seen.items_per_second:.3g} items/s" if seen.items_per_second else ""
        left = f", about {show_duration(seen.time_left)} left" if seen.time_left else ""
        yield f"workers: {seen.workers}{pace}{left}"


def _list_row(each: Summary) -> Row:
    """Return one line of a listing."""
    waits = f"waits until {clock_time(each.not_before)}; " if each.not_before else ""
    remark = f"held by {each.worker}" if each.state is State.LOCKED else f"{waits}{each.reason}"
    fields = (
        each.item_id,
        each.sample,
        str(each.state),
        f"{each.tasks_done}/{each.tasks}",
        str(each.attempt),
        clock_time(each.since) if each.since else "",
        remark,
    )
    return Row(fields, COLOURS[each.state])

"""A table's progress, drawn on a terminal, as lines for a pipe, and as JSON."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from pyanamo_async import Counts, Ledgers, Pace, Quarter, State, Status
from pyanamo_async.cli.flags import name_flags
from pyanamo_async.cli.memory_view import memory_lines, memory_row, memory_words, out_of_reach_lines, out_of_reach_rows
from pyanamo_async.cli.movement_view import movement_words
from pyanamo_async.cli.views import COLOURS, RETRYING, RETRYING_COLOUR, by_state, clock_time
from pyanamo_async.core.items import TaskState
from pyanamo_async.core.stored.queue_key import format_time
from pyanamo_async.core.text.durations import show_cpu_hours
from pyanamo_async.core.text.plural import plural
from pyanamo_async.core.text.visible import field, one_line

if TYPE_CHECKING:
    from rich.console import RenderableType

BAR_WIDTH = 24
BESIDE_THE_BAR = 38  # cells of the other columns, with items in the billions
SHOWN_FAILURES = 5
SERIES = (
    *("at", "table", *map(str, State), "retrying", "total", "tasks done", "tasks total", "workers"),
    *("items per second", "seconds left"),
)


def status_row(seen: Status, nested: Mapping[Quarter, Sequence[str]] | None = None) -> dict[str, object]:
    """Return a status for JSON; `nested` are the ids of nested items, if they are wanted."""
    counts, left = seen.counts, seen.time_left
    return {
        "table": seen.table,
        "at": format_time(seen.at),
        "items": by_state(counts),
        "retrying": counts.retrying,
        "total": counts.total,
        "tasks": _tasks(counts),
        "nested": {
            str(each): {"items": counts.nested[each]} | ({} if nested is None else {"ids": [*nested.get(each, ())]})
            for each in Quarter
        },
        **counts.ledgers.by_name(),
        "memory": seen.memory and memory_row(seen.memory),
        **out_of_reach_rows(seen.out_of_reach),
        "workers": {
            "alive": seen.workers,
            "running": seen.running,
            "waiting_for_room": seen.waiting_for_room,
            "slots": seen.slots,
        },
        "items_per_second": seen.items_per_second,
        "settled": {"recent": _pace(seen.recent), "last_hour": _pace(seen.last_hour)},
        "seconds_left": left
        and {
            "likely": left.likely.total_seconds(),
            "least": left.least.total_seconds(),
            "most": left.most and left.most.total_seconds(),
        },
        "waits_until": seen.waits_until and format_time(seen.waits_until),
        "failures": [
            {"retrying": each.retrying, "reason": each.reason, "items": each.count, "example": each.example}
            for each in seen.failures[:SHOWN_FAILURES]
        ],
        "failures_examined": seen.failures_examined,
        "halted": [
            {"worker": each.worker_id, "host": each.host, "reason": each.stopped_by}
            for each in seen.halted[:SHOWN_FAILURES]
        ],
    }


def status_lines(seen: Status) -> Iterator[str]:
    """Yield lines of a name, a tab and a value: the same names each time, whatever is unknown is empty."""
    counts, left = seen.counts, seen.time_left
    yield f"table\t{field(seen.table)}"
    for state in State:
        yield f"{state}\t{counts.items.get(state, 0)}"
    yield f"total\t{counts.total}"
    yield f"retrying\t{counts.retrying}"
    for name, count in _tasks(counts).items():
        yield f"tasks {name}\t{count}"
    for each in Quarter:
        yield f"nested {each}\t{counts.nested[each]}"
    for name, number in counts.ledgers.by_name().items():
        yield f"{name.replace('_', ' ')}\t{number:.0f}"
    yield f"workers\t{seen.workers}"
    yield f"running\t{seen.running}"
    yield f"waiting for room\t{seen.waiting_for_room}"
    yield f"slots\t{seen.slots}"
    yield f"items per second\t{seen.items_per_second:.4g}"
    yield f"seconds left\t{_seconds(seen)}"
    yield f"seconds left at least\t{left.least.total_seconds():.0f}" if left else "seconds left at least\t"
    yield f"seconds left at most\t{left.most.total_seconds():.0f}" if left and left.most else "seconds left at most\t"
    yield from memory_lines(seen.memory)
    yield from out_of_reach_lines(seen.out_of_reach)
    for worker in seen.halted[:SHOWN_FAILURES]:
        yield f"halted\t{field(worker.host)}\t{field(worker.stopped_by)}"
    for group in seen.failures[:SHOWN_FAILURES]:
        yield f"{'retry' if group.retrying else 'failure'}\t{group.count}\t{field(group.reason)}"


def series_line(seen: Status) -> str:
    """Return a status as one line of a series, with the fields of `SERIES`."""
    counts, tasks = seen.counts, _tasks(seen.counts)
    states = [counts.items.get(state, 0) for state in State]
    numbers = (*states, counts.retrying, counts.total, tasks["done"], tasks["total"], seen.workers)
    fields = (format_time(seen.at), field(seen.table), *numbers, f"{seen.items_per_second:.4g}", _seconds(seen))
    return "\t".join(map(str, fields))


def drawn_status(seen: Status, *, with_time: bool = False) -> RenderableType:
    """Draw how many items are in which state, what moves, how long the rest will take, and what failed."""
    from rich.console import Group
    from rich.padding import Padding
    from rich.text import Text

    lines = [
        Padding(Text(one_line(line), style=style, no_wrap=bool(style), overflow="ellipsis"), (0, 0, 0, 2))
        for line, style in _words(seen)
    ]
    heading = f"{one_line(seen.table)}, {clock_time(seen.at)}" if with_time else one_line(seen.table)
    return Group(Text(heading), _states(seen.counts), *lines)


def _states(counts: Counts) -> RenderableType:
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    bar_width = max(0, min(BAR_WIDTH, Console().width - BESIDE_THE_BAR))
    table = Table(box=SIMPLE_HEAD, show_footer=True, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column("state", footer="total", no_wrap=True)
    table.add_column("items", footer=f"{counts.total:,}", justify="right", no_wrap=True)
    table.add_column("", justify="right", no_wrap=True)
    table.add_column("", width=bar_width, no_wrap=True)
    for name, count, colour in _shares(counts):
        share = count / counts.total if counts.total else 0.0
        bar = "\N{FULL BLOCK}" * (round(share * bar_width) or (1 if count else 0))
        cells = (name, f"{count:,}", f"{share:.1%}" if count else "", bar)
        table.add_row(*(Text(cell, style=colour if count else "dim") for cell in cells))
    return table


def _shares(counts: Counts) -> Iterator[tuple[str, int, str]]:
    """Yield what a state is called, how many items are in it, and its colour; of `todo` also those that retry."""
    for state in State:
        yield str(state), counts.items.get(state, 0), COLOURS[state]
        if state is State.TODO and counts.retrying:
            yield f"- {RETRYING}", counts.retrying, RETRYING_COLOUR


def _words(seen: Status) -> Iterator[tuple[str, str]]:
    """Yield lines below the states, with their styles."""
    counts, tasks = seen.counts, _tasks(seen.counts)
    if tasks["total"] != counts.total:
        failed = f", {tasks['failed']:,} failed" if tasks["failed"] else ""
        yield f"tasks: {tasks['done']:,} of {tasks['total']:,} done{failed}", ""
    if counts.total_nested:
        yield f"nested: {', '.join(_quarters(counts))}", ""
    yield from ((line, "") for line in movement_words(seen))
    if counts.ledgers.crashes or counts.ledgers.interruptions:
        yield f"trouble: {_trouble(counts.ledgers)}", ""
    if saved := show_cpu_hours(counts.ledgers.cpu_seconds_saved):
        yield f"saved by checkpoints: {saved}", ""
    yield from ((line, "") for line in memory_words(seen.memory))
    if not seen.workers and counts.left:
        yield "workers: none", "yellow"
    for each in seen.out_of_reach:
        yield name_flags(str(each)), "yellow"
    for worker in seen.halted[:SHOWN_FAILURES]:
        yield f"{worker.host}: {worker.stopped_by}", "yellow"
    for group in seen.failures[:SHOWN_FAILURES]:
        name, colour = (RETRYING, RETRYING_COLOUR) if group.retrying else ("failed", "red")
        yield f"{name}: {group.count:,}  {group.reason}", colour
    if (others := len(seen.failures) - SHOWN_FAILURES) > 0:
        yield f"failed: for {others:,} other reasons, too; see `pyanamo failures`", "red"


def _trouble(ledgers: Ledgers) -> str:
    told = f"{plural(ledgers.crashes, 'crash')}, {plural(ledgers.interruptions, 'interruption')}"
    lost = show_cpu_hours(ledgers.cpu_seconds_lost)
    return f"{told}, {lost} lost by them" if lost else told


def _quarters(counts: Counts) -> Iterator[str]:
    for each, count in counts.nested.items():
        if count:
            yield f"{count:,} {each}" if each in {Quarter.TODO, Quarter.DONE} else f"{count:,} at {each} %"


def _seconds(seen: Status) -> str:
    return f"{seen.time_left.likely.total_seconds():.0f}" if seen.time_left else ""


def _pace(pace: Pace) -> dict[str, object]:
    return {"items": pace.settled, "seconds": pace.span.total_seconds()}


def _tasks(counts: Counts) -> dict[str, int]:
    by_state = {str(state): counts.tasks.get(state, 0) for state in TaskState}
    return {"total": sum(by_state.values()), **by_state}

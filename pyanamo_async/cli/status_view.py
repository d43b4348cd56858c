"""A table's progress, drawn on a terminal, as lines for a pipe, and as JSON."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING

from pyanamo_async import Counts, Ledgers, Pace, Quarter, State, Status
from pyanamo_async.cli.flags import name_flags
from pyanamo_async.cli.memory_view import memory_lines, memory_row, memory_words
from pyanamo_async.cli.views import COLOURS, RETRYING, RETRYING_COLOUR, by_state, clock_time
from pyanamo_async.core.items import TaskState
from pyanamo_async.core.stored.queue_key import format_time
from pyanamo_async.core.text.durations import show_cpu_hours, show_duration
from pyanamo_async.core.text.plural import plural
from pyanamo_async.core.text.visible import field, one_line

if TYPE_CHECKING:
    from rich.console import RenderableType

BAR_WIDTH = 24
BESIDE_THE_BAR = 38  # cells of the other columns, with items in the billions
SHOWN_FAILURES = 5
MINUTE = timedelta(minutes=1)
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
        "too_large": [{"memory_class": each, "items": number} for each, number in seen.too_large.items()],
        "last_attempts": seen.last_attempts,
        "workers": {"alive": seen.workers, "running": seen.running, "slots": seen.slots},
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
    yield f"slots\t{seen.slots}"
    yield f"items per second\t{seen.items_per_second:.4g}"
    yield f"seconds left\t{_seconds(seen)}"
    yield f"seconds left at least\t{left.least.total_seconds():.0f}" if left else "seconds left at least\t"
    yield f"seconds left at most\t{left.most.total_seconds():.0f}" if left and left.most else "seconds left at most\t"
    yield from memory_lines(seen.memory)
    for memory_class, number in seen.too_large.items():
        yield f"too large\t{number}\t{memory_class} GiB"
    if seen.last_attempts:
        yield f"last attempts\t{seen.last_attempts}"
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
    yield from ((line, "") for line in _movement(seen))
    if counts.ledgers.crashes or counts.ledgers.interruptions:
        yield f"trouble: {_trouble(counts.ledgers)}", ""
    if saved := show_cpu_hours(counts.ledgers.cpu_seconds_saved):
        yield f"saved by checkpoints: {saved}", ""
    yield from ((line, "") for line in memory_words(seen.memory))
    if not seen.workers and counts.left:
        yield "workers: none", "yellow"
    for sentence in seen.out_of_reach:
        yield name_flags(sentence), "yellow"
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


def _movement(seen: Status) -> Iterator[str]:
    """Yield lines on workers, pace and the time left, as long as something is left."""
    if seen.workers:
        yield f"workers: {seen.workers:,}, running {seen.running:,} of {seen.slots:,} at a time"
    if not seen.counts.left:
        return
    paces = [f"{_rate(pace)} in the last {_roughly(pace.span)}" for pace in _paces(seen)]
    if paces:
        yield f"pace: {', '.join(paces)}"
    elif seen.items_per_second:
        yield f"pace: {seen.items_per_second:.3g} items/s since the workers started"
    if seen.time_left:
        likely, least, most = seen.time_left.likely, seen.time_left.least, seen.time_left.most
        until = f"{show_duration(least)} to {show_duration(most)}" if most else f"at least {show_duration(least)}"
        yield f"left: about {show_duration(likely)} ({until})"
    elif seen.workers and seen.counts.left <= seen.counts.items[State.LOCKED] + seen.counts.retrying:
        waits = (
            f" or waits, until {clock_time(seen.waits_until)} at most"
            if seen.waits_until and seen.waits_until > seen.at
            else ""
        )
        yield f"left: no estimate, because all that is left runs{waits}"


def _quarters(counts: Counts) -> Iterator[str]:
    for each, count in counts.nested.items():
        if count:
            yield f"{count:,} {each}" if each in {Quarter.TODO, Quarter.DONE} else f"{count:,} at {each} %"


def _paces(seen: Status) -> Iterator[Pace]:
    """Yield the paces that tell something: the second only if it covers more time."""
    if seen.recent.settled:
        yield seen.recent
    if seen.last_hour.settled and seen.last_hour.span > seen.recent.span:
        yield seen.last_hour


def _roughly(span: timedelta) -> str:
    """Return a span in whole minutes, or below two in whole seconds."""
    unit = MINUTE if span >= 2 * MINUTE else timedelta(seconds=1)
    return show_duration(round(span / unit) * unit)


def _rate(pace: Pace) -> str:
    """Return a rate with the unit in which it is a number that people grasp."""
    for unit, seconds in (("s", 1), ("min", 60), ("h", 3600)):
        if (rate := pace.per_second * seconds) >= 1 or unit == "h":
            break
    return f"{rate:,.3g} items/{unit}"


def _seconds(seen: Status) -> str:
    return f"{seen.time_left.likely.total_seconds():.0f}" if seen.time_left else ""


def _pace(pace: Pace) -> dict[str, object]:
    return {"items": pace.settled, "seconds": pace.span.total_seconds()}


def _tasks(counts: Counts) -> dict[str, int]:
    by_state = {str(state): counts.tasks.get(state, 0) for state in TaskState}
    return {"total": sum(by_state.values()), **by_state}

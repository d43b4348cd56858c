"""`pyanamo status`: how far tables are, once or again and again."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from datetime import timedelta
from itertools import count
from typing import TYPE_CHECKING, Annotated

import typer

from pyanamo_async import PyanamoError, Status, Table, UsageError, emf_status, prometheus_status
from pyanamo_async.cli.console import draw, flush, note, on_terminal, say, say_json, screen
from pyanamo_async.cli.flags import duration, standing_alone
from pyanamo_async.cli.options import JsonOption, on_tables
from pyanamo_async.cli.run_async import ended_by
from pyanamo_async.cli.status_view import SERIES, drawn_status, series_line, status_lines, status_row
from pyanamo_async.core.text.durations import parse_duration

if TYPE_CHECKING:
    from rich.console import RenderableType

WATCH, DEFAULT_PAUSE = "--watch", "2"
SIGNALS = (signal.SIGTERM, signal.SIGHUP)  # would leave the terminal on the other screen; Ctrl-C does not

Watch = Annotated[
    timedelta | None,
    typer.Option(
        WATCH,
        metavar="[SECONDS]",
        parser=duration,
        help="Look again after each pause, by default 2 s. A terminal is redrawn, a pipe gets a line each time, and "
        "with --json an object.",
    ),
]
Times = Annotated[int | None, typer.Option("--times", metavar="N", min=1, help="With --watch: look so often.")]


def _is_duration(text: str) -> bool:
    try:
        parse_duration(text)
    except ValueError:
        return False
    return True


COMMAND = standing_alone(WATCH, without=DEFAULT_PAUSE, takes=_is_duration)


@on_tables
async def status(
    tables: Sequence[Table],
    *,
    watch: Watch = None,
    times: Times = None,
    json: JsonOption = False,
    prometheus: Annotated[bool, typer.Option("--prometheus", help="Print metrics as Prometheus reads them.")] = False,
    emf: Annotated[
        bool, typer.Option("--emf", help="Print metrics as a line from which CloudWatch takes them, for each table.")
    ] = False,
) -> None:
    """Show how far tables are.

    Items by state, tasks, nested items by how far they are, workers, pace, time left, and what failed.
    """
    if watch is None and times is not None:
        raise UsageError("`times` has no effect without --watch", hint="leave out one, or give both")
    if sum((watch is not None, json, prometheus, emf)) > 1 and (prometheus or emf):
        raise UsageError("`prometheus` and `emf` print one look, and nothing else", hint="leave out the other flags")
    if prometheus or emf:
        seen = [await table.status(memory=False) for table in tables]
        for line in prometheus_status(seen).split("\n")[:-1] if prometheus else map(emf_status, seen):
            say(line)
    elif watch is not None:
        await _watch(tables, every=watch, times=times, json=json)
    elif json:
        await _once_as_json(tables)
    else:
        await _once(tables)


async def _once(tables: Sequence[Table]) -> None:
    for number, table in enumerate(tables):
        seen = await table.status()
        if on_terminal():
            if number:
                say("")
            draw(drawn_status(seen))
        else:
            for line in status_lines(seen):
                say(line)


async def _once_as_json(tables: Sequence[Table]) -> None:
    rows = []
    for table in tables:
        seen = await table.status()
        rows.append(status_row(seen, await table.nested_items() if seen.counts.total_nested else {}))
    say_json(rows)


async def _watch(tables: Sequence[Table], *, every: timedelta, times: int | None, json: bool) -> None:
    with ended_by(*SIGNALS):
        if json:
            await _look(tables, every, times, _say_objects)
        elif on_terminal() and os.environ.get("TERM") != "dumb":
            last: list[Status] = []
            try:
                with screen() as show:

                    def redraw(seen: Sequence[Status]) -> None:
                        last[:] = seen
                        show(_group(seen))

                    await _look(tables, every, times, redraw)
            finally:
                if last:
                    draw(_group(last))
        else:
            header = ["\t".join(SERIES)]

            def below_header(seen: Sequence[Status]) -> None:  # none of a table that cannot be read
                while header:
                    say(header.pop())
                _say_lines(seen)

            await _look(tables, every, times, below_header)


async def _look(
    tables: Sequence[Table], every: timedelta, times: int | None, show: Callable[[Sequence[Status]], None]
) -> None:
    """Show tables again and again, all at once."""
    import asyncio

    async with AsyncExitStack() as stack:
        series = [table.watch(every=every, missed=_missed) for table in tables]
        for each in series:
            stack.push_async_callback(each.aclose)
        for number in count(1):
            show(await asyncio.gather(*map(anext, series)))
            flush()
            if number == times:
                return


def _missed(error: PyanamoError) -> None:
    note(f"pyanamo: {error}")


def _say_objects(seen: Sequence[Status]) -> None:
    for each in seen:
        say_json(status_row(each), lines=True)


def _say_lines(seen: Sequence[Status]) -> None:
    for each in seen:
        say(series_line(each))


def _group(seen: Sequence[Status]) -> RenderableType:
    from rich.console import Group

    parts = [part for each in seen for part in ("", drawn_status(each, with_time=True))]
    return Group(*parts[1:])

"""Long work: show its progress on stderr, and limit it."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from typing import Annotated, TypeVar

import typer

from pyanamo_async.cli.console import on_terminal

SortOption = Annotated[
    str | None,
    typer.Option(
        "--sort", metavar="COLUMN", help="Sort by this: the largest numbers first, texts and times in ascending order."
    ),
]
ReverseOption = Annotated[bool, typer.Option("--reverse", help="Sort the other way round.")]

T = TypeVar("T")
SHOWN_FROM = 1000  # items; fewer are done before a bar is drawn


async def limited(rows: AsyncIterator[T], limit: int | None) -> AsyncIterator[T]:
    """Yield the first rows, and count on stderr how many were read: on a terminal, while stdout goes elsewhere."""
    with counter() as count:
        number = 0
        if limit == 0:
            return
        async for row in rows:
            number += 1
            count[0] = number
            yield row
            if number == limit:
                return


@contextmanager
def counter(*, prints: bool = True) -> Iterator[list[int]]:
    """Show the number in the list on stderr, unless the command `prints` its data on the same terminal."""
    count = [0]
    if (prints and on_terminal()) or not sys.stderr.isatty():
        yield count
        return
    from pyanamo_async.cli.background_stderr import background_stderr
    from pyanamo_async.cli.progress import ReadCount

    with background_stderr(ReadCount(count)):
        yield count


@contextmanager
def counting_bar(doing: str, items: int) -> Iterator[Callable[[int], None]]:
    """Draw a bar on a terminal; yield a function to call with the number of items done."""
    if items < SHOWN_FROM or not sys.stderr.isatty():
        yield lambda _: None
        return
    from pyanamo_async.cli.background_stderr import background_stderr
    from pyanamo_async.cli.progress import Bar

    bar = Bar(items, label=doing)

    def draw(done: int) -> None:
        bar.ended = done

    with background_stderr(bar):
        yield draw

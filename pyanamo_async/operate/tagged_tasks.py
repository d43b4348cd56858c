"""Read tasks with all of their tags, wherever these are.

1. The record holds all tags of a small output. Otherwise the stored output is read, several at once, as a stream.
2. Memory does not grow with the number of tasks or the size of output: of one task at most `MOST_BYTES` of tags are
   kept, and the task says so.
3. Output that cannot be had costs its own task alone.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterable, Sequence

from pyanamo_async.core.expressions.view import TaskView
from pyanamo_async.core.items import Item, Output
from pyanamo_async.core.tags import TagFinder, all_tags
from pyanamo_async.core.text.byte_sizes import show_size
from pyanamo_async.core.values import Value
from pyanamo_async.errors import OutputError
from pyanamo_async.operate.logs import LogReader

AT_ONCE = 16  # outputs that are read together
MOST_BYTES = 4 << 20  # of the tags of one task


class TaggedTask(Value):
    """A task and its tags; `problem` says why some may be missing."""

    view: TaskView
    tags: Sequence[str] = ()
    problem: str = ""


async def tagged_tasks(
    items: AsyncIterable[Item],
    views: Callable[[Item], Iterable[TaskView]],
    reader: LogReader,
    *,
    has_tags: Callable[[TaskView], bool] = lambda _: True,
) -> AsyncIterator[TaggedTask]:
    """Yield those tasks of items that `views` returns, in no order, and of those that `has_tags` names, their tags."""
    unread: list[TaskView] = []
    async for item in items:
        for view in views(item):
            known = all_tags(view.record.stdout) if view.record and has_tags(view) else ()
            if known is not None:
                yield TaggedTask(view, known)
                continue
            unread.append(view)
            if len(unread) == AT_ONCE:
                for tagged in await _read_all(unread, reader):
                    yield tagged
                unread.clear()
    for tagged in await _read_all(unread, reader):
        yield tagged


async def _read_all(views: Sequence[TaskView], reader: LogReader) -> list[TaggedTask]:
    return await asyncio.gather(*(_read(view, view.record.stdout, reader) for view in views if view.record))


async def _read(view: TaskView, output: Output, reader: LogReader) -> TaggedTask:
    if not output.at:
        return TaggedTask(view, (), f"its output was not stored: {output.status}")
    finder, tags, size_bytes = TagFinder(), list[str](), 0
    try:
        async for chunk in reader.read_whole(output):
            found = finder.feed(chunk)
            size_bytes += sum(map(len, found))
            if size_bytes > MOST_BYTES:
                return TaggedTask(view, tags, f"more than {show_size(MOST_BYTES)} of tags: the rest is left out")
            tags += found
    except OutputError as error:
        return TaggedTask(view, tags, error.what)
    return TaggedTask(view, [*tags, *finder.end()], output.status)

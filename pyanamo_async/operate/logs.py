"""Read what a task printed, wherever it is stored.

1. Memory does not grow with the output.
2. All that is stored is given, and then an error says when that is not what was printed: an object was cut short, or
   written over.
3. A record names the output of the last attempt that ended. Output of older attempts is found by its key in storage,
   or by searching CloudWatch Logs, if it was too large for a record.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from functools import partial
from typing import Protocol, TypeVar

from pyanamo_async.core.items import Item, Output, State, Task
from pyanamo_async.core.selection import tasks_called
from pyanamo_async.core.text.plural import plural
from pyanamo_async.errors import Denied, OutputError, OutputMissing, UsageError
from pyanamo_async.outputs.keys import beside_output
from pyanamo_async.ports import OutputKey, OutputStore

T = TypeVar("T")
STREAMS = STDOUT, STDERR = "stdout", "stderr"
SHOWN_NAMES = 5


@dataclass(frozen=True, slots=True)
class LogReader:
    """Reads the output of one table; `open_at` opens what holds a location, or, if empty, where new output goes.

    `in_logs` returns where in CloudWatch Logs an output may be, given the locations of another attempt's. `places`
    returns where what was stored at a location may be now, likeliest first.
    """

    output_namespace: str
    open_at: Callable[[str], Awaitable[OutputStore]]
    in_logs: Callable[[OutputKey, Collection[str]], str] = lambda *_: ""
    places: Callable[[str], Sequence[str]] = lambda location: [location]

    async def find(
        self, item: Item, task: Task, stream: str, *, attempt: int | None = None, tail: int | None = None
    ) -> TaskLog:
        """Find one stream of an attempt; without a number, of the last attempt that ended.

        Raises:
            OutputMissing: no attempt has ended, or the one asked for has not.
            UsageError: there was no such attempt.
        """
        record, title = task.record, _title(item, task)
        if record and attempt in {None, record.attempt}:
            return TaskLog(self, record.stderr if stream == STDERR else record.stdout, tail)
        if attempt is None:
            raise OutputMissing(
                f"{title} has no output: no attempt has ended", hint=f"it is {item.state}; see `pyanamo show`"
            )
        if not 0 < attempt <= item.attempt:
            raise UsageError(f"{title} has had {plural(item.attempt, 'attempt')}, and no attempt {attempt}")
        if attempt == item.attempt and item.state is State.LOCKED:
            raise OutputMissing(f"attempt {attempt} of {title} has not ended", hint="wait for it")
        key = OutputKey(self.output_namespace, item.item_id, task.name, attempt, stream, item.mark)
        others = [record.stdout.at, record.stderr.at] if record else []
        beside = [beside_output(each, key) for each in others]
        locations = (await self.open_at("")).location(key), *beside, self.in_logs(key, others)
        title = f"{stream} of attempt {attempt} of {title}"
        return TaskLog(self, Output(), tail, title=title, locations=list(dict.fromkeys(filter(None, locations))))

    async def read_whole(self, output: Output, *, start: int = 0) -> AsyncGenerator[bytes, None]:
        """Stream an output from byte `start` on.

        Raises:
            OutputMissing: nothing is stored where it should be.
            OutputError: all that is stored was given, and it is not what was printed.
        """
        end = start
        async for chunk in self.chunks(output, start=start):
            end += len(chunk)
            yield chunk
        is_known = output.at and output.size_bytes and not output.status
        if is_known and end != output.size_bytes:
            raise OutputError(
                f"{output.at} is not what was printed: that was {plural(output.size_bytes, 'byte')}, this is {end}",
                hint="it was cut short, or written over",
            )

    async def chunks(self, output: Output, *, start: int = 0) -> AsyncGenerator[bytes, None]:
        """Stream an output from byte `start` on, without a look at its size."""
        if not output.at:
            yield output.text.encode()[start:]
            return
        _, chunks = await find_stored(dict.fromkeys(self.places(output.at)), self.open_at, start=start)
        async for chunk in chunks:
            yield chunk


@dataclass(frozen=True, slots=True)
class TaskLog:
    """What a task printed: iterate over its chunks of bytes with `async for`, or await `text`.

    Without a record `locations` are where the output may be, likeliest first. With `tail`, only so many last lines are
    given; they are read twice.
    """

    reader: LogReader
    output: Output
    tail: int | None = None
    title: str = ""
    locations: Sequence[str] = ()

    @property
    def incomplete(self) -> str:
        """Why not all of it could be stored; empty when all was."""
        return self.output.status

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """Stream the bytes as they were printed, in constant memory.

        Raises:
            OutputMissing: nothing is stored where it should be.
            OutputError: all that is stored was given, and it is not what was printed.
        """
        output = await self._find() if self.locations else self.output
        whole = partial(self.reader.read_whole, output)
        count = partial(self.reader.chunks, output)
        async for chunk in whole() if self.tail is None else last_lines(self.tail, count, whole):
            yield chunk

    async def text(self) -> str:
        """Return all of it as text, in memory; bytes that are not UTF-8 are replaced. Raises as iterating does."""
        return b"".join([chunk async for chunk in self]).decode(errors="replace")

    async def _find(self) -> Output:
        denials = []
        for location in self.locations:
            try:
                async with aclosing(self.reader.read_whole(Output(at=location))) as chunks:
                    await anext(chunks, b"")
            except OutputMissing:
                continue
            except Denied as denied:
                denials.append(f"; {denied.what}")
            else:
                return Output(at=location)
        raise OutputMissing(
            f"nothing is stored of {self.title} ({self.locations[0]}){''.join(denials)}",
            hint="output of up to 2 KB is kept in the record of the last attempt only; "
            "`pyanamo show` has the reasons of older ones",
        )


class Readable(Protocol):
    """What holds a location."""

    def read(self, location: str, *, start: int = 0) -> AsyncIterator[bytes]:
        """Stream what is at a location; raise `OutputMissing` where there is nothing."""
        ...


async def find_stored(
    places: Mapping[str, T], open_at: Callable[[str], Awaitable[Readable]], *, start: int = 0
) -> tuple[T, AsyncIterator[bytes]]:
    """Return the first of these locations that holds something, by what it stands for, and the stream of that.

    Raises:
        OutputMissing: none does.
    """
    denied: Denied | None = None
    for location, place in places.items():
        chunks = aiter((await open_at(location)).read(location, start=start))
        try:
            first = await anext(chunks, b"")
        except OutputMissing:
            continue
        except Denied as error:
            denied = error
            continue
        return place, _again(first, chunks)
    if denied:
        raise denied
    raise OutputMissing(
        f"there is no output at {' or '.join(places)}", hint="if it was moved, `bucket` says where it is"
    )


async def _again(first: bytes, chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    yield first
    async for chunk in chunks:
        yield chunk


async def last_lines(
    lines: int, count: Callable[[], AsyncIterator[bytes]], show: Callable[[], AsyncIterator[bytes]]
) -> AsyncIterator[bytes]:
    """Stream the last lines of what both `count` and then `show` give; a last line may lack its newline."""
    ends, last = 0, b"\n"
    async for chunk in count():
        ends += chunk.count(b"\n")
        last = chunk[-1:] or last
    skipped = max(0, ends + (last != b"\n") - lines)
    async for chunk in show():
        *ended, rest = chunk.split(b"\n", skipped)
        skipped -= len(ended)
        if not skipped:
            yield rest


def find_task(item: Item, name: str | None) -> Task:
    """Find a task of an item by its name, its number or its argument; the only task needs no name.

    Raises:
        UsageError: there are several tasks and none was named, or the name is none's, or may be that of several.
    """
    if name is None and len(item.tasks) == 1:
        return item.tasks[0]
    found = [] if name is None else tasks_called(item, name)
    if len(found) == 1:
        return found[0]
    several = ", ".join(task.name for task in found[:SHOWN_NAMES])
    names = f"{item.tasks[0].name} to {item.tasks[-1].name}" if len(item.tasks) > 1 else item.tasks[0].name
    if found:
        what, names = f"has several tasks that {name} may mean, as a number or an argument", several
    else:
        what = f"has no task {name}" if name else f"has {len(item.tasks)} tasks"
    raise UsageError(
        f"item {item.item_id} {what}",
        hint=f"name one of {names}, as in `pyanamo logs {item.item_id} {(found or item.tasks)[0].name}`",
    )


def _title(item: Item, task: Task) -> str:
    return f"task {task.name} of item {item.item_id}" if item.nested else f"item {item.item_id}"

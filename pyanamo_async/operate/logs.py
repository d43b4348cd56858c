"""Read what a task printed, wherever it is kept.

Laws: memory does not grow with the output. All that is there is given, and then it is said when that is not as much as
was printed: an object was cut short, or written over. What an attempt printed is found by its record, which is that of
the last one that ended; what an older one printed only where it was too large for a record, by its key in storage, or
by searching CloudWatch Logs for it.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Collection, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from functools import partial

from pyanamo_async.core.items import Item, Output, State, Task
from pyanamo_async.core.text.plural import plural
from pyanamo_async.errors import Denied, OutputError, OutputMissing, UsageError
from pyanamo_async.ports import OutputKey, OutputStore

STDOUT, STDERR = "stdout", "stderr"


@dataclass(frozen=True, slots=True)
class Found:
    """What is known of one stream of an attempt: an output, or where it would be, the likeliest place first."""

    output: Output
    whose: str
    guesses: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Reader:
    """Reads output filed under `table`; `open_at` opens what a location is in, or, if empty, where new output goes.

    `in_logs` tells where in CloudWatch Logs an output may be, given where another attempt's is.
    """

    table: str
    open_at: Callable[[str], Awaitable[OutputStore]]
    in_logs: Callable[[OutputKey, Collection[str]], str] = lambda *_: ""

    async def find(self, item: Item, task: Task, stream: str, *, attempt: int | None = None) -> Found:
        """Find one stream of the last attempt that ended, or of the one that is asked for.

        Raises:
            OutputMissing: no attempt has ended, or that one still runs.
            UsageError: there was no such attempt.
        """
        record, whose = task.record, _name(item, task)
        if record and attempt in {None, record.attempt}:
            return Found(record.stderr if stream == STDERR else record.stdout, whose)
        if attempt is None:
            raise OutputMissing(
                f"{whose} has no output: no attempt has ended", hint=f"it is {item.state}; see `pyanamo show`"
            )
        if not 0 < attempt <= item.attempt:
            raise UsageError(f"{whose} has had {plural(item.attempt, 'attempt')}, and no attempt {attempt}")
        if attempt == item.attempt and item.state is State.LOCKED:
            raise OutputMissing(f"attempt {attempt} of {whose} has not ended", hint="wait for it")
        key = OutputKey(self.table, item.item_id, task.name, attempt, stream)
        places = (await self.open_at("")).location(key), self.in_logs(key, _places_of(task))
        return Found(Output(), f"{stream} of attempt {attempt} of {whose}", guesses=[at for at in places if at])

    async def read(self, found: Found, *, last: int | None = None) -> AsyncIterator[bytes]:
        """Stream an output, or its last lines: those take reading it twice.

        Raises:
            OutputMissing: nothing is where it should be.
            OutputError: all was given that is there, and it is not what was printed.
        """
        output = await self._stored(found) if found.guesses else found.output
        whole = partial(self.pieces, output)
        async for piece in whole() if last is None else last_lines(last, partial(self._there, output), whole):
            yield piece

    async def pieces(self, output: Output, *, start: int = 0) -> AsyncGenerator[bytes, None]:
        """Stream what is kept whole, from byte `start` on; raises as `read` does."""
        end = start
        async for piece in self._there(output, start=start):
            end += len(piece)
            yield piece
        is_known = output.at and output.size_bytes and not output.status
        if is_known and end != output.size_bytes:
            raise OutputError(
                f"{output.at} is not what was printed: that is {plural(output.size_bytes, 'byte')}, this {end}",
                hint="somebody cut it short, or wrote over it",
            )

    async def _there(self, output: Output, *, start: int = 0) -> AsyncGenerator[bytes, None]:
        if not output.at:
            yield output.text.encode()[start:]
            return
        outputs = await self.open_at(output.at)
        async for piece in outputs.read(output.at, start=start):
            yield piece

    async def _stored(self, found: Found) -> Output:
        closed = []
        for at in found.guesses:
            try:
                async with aclosing(self.pieces(Output(at=at))) as pieces:
                    await anext(pieces, b"")
            except OutputMissing:
                continue
            except Denied as denied:
                closed.append(f"; {denied.what}")
            else:
                return Output(at=at)
        raise OutputMissing(
            f"nothing is stored of {found.whose} ({found.guesses[0]}){''.join(closed)}",
            hint="up to 2 KB stand in the record alone, which is the last attempt's; `pyanamo show` has older reasons",
        )


async def last_lines(
    lines: int, count: Callable[[], AsyncIterator[bytes]], show: Callable[[], AsyncIterator[bytes]]
) -> AsyncIterator[bytes]:
    """Stream the last lines of what both `count` and then `show` give; a last line may lack its newline."""
    skipped = await _lines_in(count()) - lines
    async for piece in show():
        ends = piece.count(b"\n") if skipped > 0 else 0
        if ends < skipped:
            skipped -= ends
        else:
            yield piece[_end_of_line(skipped, piece) :]
            skipped = 0


async def _lines_in(pieces: AsyncIterator[bytes]) -> int:
    ends, last = 0, b"\n"
    async for piece in pieces:
        ends += piece.count(b"\n")
        last = piece[-1:] or last
    return ends + (last != b"\n")


def _end_of_line(number: int, piece: bytes) -> int:
    """Tell where line `number` of a piece ends, from 1; 0 before the first."""
    end = 0
    for _ in range(number):
        end = piece.find(b"\n", end) + 1
    return end


def task_of(item: Item, name: str | None) -> Task:
    """Find a task of an item by its name or number; the only task needs no name.

    Raises:
        UsageError: there are several tasks and none was named, or none of that name.
    """
    if name is None and len(item.tasks) == 1:
        return item.tasks[0]
    tasks = {task.name: task for task in item.tasks}
    wanted = f"Task_{name}" if name and name.isdigit() else name
    if wanted in tasks:
        return tasks[wanted]
    names = f"{item.tasks[0].name} to {item.tasks[-1].name}" if len(tasks) > 1 else item.tasks[0].name
    what = f"has no task {name}" if name else f"has {len(tasks)} tasks"
    raise UsageError(f"item {item.item_id} {what}", hint=f"name one of {names}, as in `pyanamo logs {item.item_id} 0`")


def _name(item: Item, task: Task) -> str:
    return f"task {task.name} of item {item.item_id}" if item.nested else f"item {item.item_id}"


def _places_of(task: Task) -> list[str]:
    return [task.record.stdout.at, task.record.stderr.at] if task.record else []

"""`pyanamo show`: everything known about one item."""

from __future__ import annotations

from collections.abc import Iterator

from pyanamo_async import Table, Worker
from pyanamo_async.cli.console import draw, on_terminal, say, say_json
from pyanamo_async.cli.options import ItemArgument, JsonOption, on_table
from pyanamo_async.cli.views import COLOURS, RETRYING, clock_time
from pyanamo_async.core.items import Item, Output, State, Task, TaskRecord
from pyanamo_async.core.results import CheckpointUse
from pyanamo_async.core.stored.record import encode
from pyanamo_async.core.text.byte_sizes import show_size
from pyanamo_async.core.text.durations import show_duration, show_seconds
from pyanamo_async.core.text.plural import plural
from pyanamo_async.core.text.visible import one_line
from pyanamo_async.core.workers import is_waiting

Line = tuple[str, str]  # a text, and its style on a terminal


@on_table
async def show(table: Table, *, item: ItemArgument, json: JsonOption = False) -> None:
    """Show everything known about one item.

    That is its scripts, how their last attempts ended, what they used and what they printed.
    """
    found = await table.item(item)
    if json:
        say_json(encode(found))
    else:
        holder = await table.holder(found)
        show_item(found, holder.worker if holder else None)


def show_item(item: Item, holder: Worker | None = None) -> None:
    """Print one item, which this worker holds; control characters in scripts and output are made visible."""
    for text, style in (
        *_head(item, holder),
        *(line for task in item.tasks for line in _task(task, nested=item.nested)),
    ):
        _print(text, style)


def _print(text: str, style: str) -> None:
    if not (style and on_terminal()):
        say(text)
        return
    from rich.text import Text

    draw(Text(one_line(text), style=style, overflow="fold"))


def _head(item: Item, holder: Worker | None) -> Iterator[Line]:
    yield f"item      {item.item_id}", "bold"
    yield f"sample    {item.sample}", ""
    since = item.locked_at if item.state is State.LOCKED else item.done_at
    retrying = f", {RETRYING}" if item.is_retrying else ""
    yield f"state     {item.state}{retrying}{f' since {clock_time(since)}' if since else ''}", COLOURS[item.state]
    if item.not_before:
        yield f"waits     until {clock_time(item.not_before)}", ""
    if holder and is_waiting(item, holder):
        needs = holder.waiting.show()
        yield f"waits     for room in its worker{f': it needs {needs}' if needs else ''}", ""
    if item.attempt:
        yield f"attempt   {item.attempt}{f', by {item.worker}' if item.worker else ''}", ""
    counts = {"failure": item.failures, "crash": item.crashes, "interruption": item.interruptions}
    if any(counts.values()):
        yield f"so far    {', '.join(plural(count, name) for name, count in counts.items() if count)}", ""
    limits = {
        "priority": item.priority,
        "max failures": item.max_failures,
        "timeout": item.timeout and show_duration(item.timeout),
        "memory": item.memory_bytes and show_size(item.memory_bytes),
        "CPUs": item.cpus if item.cpus > 1 else None,
    }
    if told := [f"{name} {limit}" for name, limit in limits.items() if limit is not None]:
        yield f"limits    {', '.join(told)}", ""
    if item.folders:
        yield f"folders   {', '.join(sorted(item.folders))}", ""
    if item.memory_need_bytes:
        yield f"needs     {show_size(item.memory_need_bytes)} of memory, as an attempt has shown", ""
    if item.reason:
        yield f"reason    {item.reason}", "red"
    for line in item.history:
        yield f"before    {line}", "dim"


def _task(task: Task, *, nested: bool) -> Iterator[Line]:
    yield "", ""
    title = f"{task.name}  {task.state}" if nested else str(task.state)
    record = task.record
    yield f"{title}{f'  {_ending(record)}' if record else ''}", f"bold {COLOURS[task.state]}"
    for line in task.script.splitlines():
        yield f"  $ {line}", "dim"
    if record:
        yield from _output("stdout", record.stdout)
        yield from _output("stderr", record.stderr)
        if (checkpoint := record.checkpoint) != CheckpointUse():
            yield f"  checkpoint: {_checkpoint(checkpoint)}", ""
        if (left := record.results).files:
            yield f"  results: {plural(left.files, 'file')}, {show_size(left.size_bytes)} at {left.at}", ""


def _ending(record: TaskRecord) -> str:
    parts = [record.outcome.reason or "exit status 0", f"took {show_seconds(record.seconds)}"]
    if record.cpu_seconds is not None:
        parts.append(f"CPU {show_seconds(record.cpu_seconds)}")
    if record.max_rss_bytes is not None:
        parts.append(f"peak {show_size(record.max_rss_bytes)}")
    return f"{', '.join(parts)} (attempt {record.attempt})"


def _checkpoint(use: CheckpointUse) -> str:
    parts = []
    if use.restored:
        parts.append(f"began from {use.restored}, after {show_seconds(use.restored_seconds)} of work")
    if use.stored:
        size = f"{plural(use.files, 'file')}, {show_size(use.size_bytes)}"
        parts.append(f"the last is {use.stored}, {size}, after {show_seconds(use.seconds)} of work")
    return "; ".join(parts)


def _output(name: str, output: Output) -> Iterator[Line]:
    if not output.size_bytes and not output.text:
        return
    shown_bytes = len(output.text.encode())
    kept = f", of which {show_size(shown_bytes)} here" if shown_bytes < output.size_bytes else ""
    kept += f", the whole at {output.at}" if output.at else ""
    yield f"  {name}: {show_size(output.size_bytes)}, {plural(output.lines, 'line')}{kept}", "bold"
    if output.status:
        yield f"    {output.status}", "red"
    for line in output.text.splitlines():
        yield f"    {line}", ""

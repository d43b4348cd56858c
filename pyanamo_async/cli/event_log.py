"""A worker's events on stderr: a progress bar on a terminal, otherwise one line for each event."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from pyanamo_async import EventLog, State
from pyanamo_async.cli.console import note
from pyanamo_async.cli.flags import name_flags
from pyanamo_async.core.stored.queue_key import format_time

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress

QUIET = frozenset({"item claimed", "worker started"})  # the bar shows these
REDRAWS_PER_SECOND = 5


@contextmanager
def listening(total: int | None) -> Iterator[EventLog]:
    """Make an event log: a bar if `total`, the number of items to run, is given, otherwise lines."""
    if total is None:
        yield LogLines()
        return
    with bar(total) as event_log:
        yield event_log


class LogLines:
    """Writes one line for each event: when, what, and its fields."""

    def note(self, event: str, /, **fields: object) -> None:
        """Write the line."""
        note(f"{format_time(datetime.now(UTC))} {line(event, fields)}")


class Bar:
    """Counts settled items; it is drawn by a thread, so that an event costs two additions."""

    def __init__(self, progress: Progress, console: Console, total: int) -> None:
        self._progress, self._console = progress, console
        self._task = progress.add_task("", total=total, settled="")
        self._held = 0
        self._settled: Counter[State] = Counter()

    def note(self, event: str, /, **fields: object) -> None:
        """Count the event, and print it above the bar if it is unusual."""
        state = fields.get("state")
        if event == "item claimed":
            self._held += 1
        elif event in {"item settled", "item lost"}:
            self._held -= 1
        if isinstance(state, State):
            self._settled[state] += 1
        if event not in QUIET and state is not State.DONE:
            self._console.print(_remark(event, fields), style="red" if state is State.FAILED else "yellow")

    def draw(self) -> None:
        """Update the bar."""
        ended = self._settled[State.DONE] + self._settled[State.FAILED]
        failed = f", {self._settled[State.FAILED]} failed" if self._settled[State.FAILED] else ""
        self._progress.update(self._task, completed=ended, settled=f"{self._held} running{failed}", refresh=True)


def _remark(event: str, fields: dict[str, object]) -> str:
    if event == "item settled":
        return f"{fields['item']}: {fields['state']}, {fields['reason']}"
    return line(event, fields)


def line(event: str, fields: dict[str, object]) -> str:
    """Format an event as one line, without empty fields."""
    said = [event]
    for name, value in fields.items():
        text = "" if value is None or name == "exc" else str(value)
        if "hint: " in text:  # an error of ours, which may name arguments
            text = name_flags(text)
        if text:
            said.append(f"{name}={text if text.isprintable() and ' ' not in text else repr(text)}")
    return " ".join(said)


@contextmanager
def bar(total: int) -> Iterator[EventLog]:
    """Draw a bar until the block ends."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    console = Console(stderr=True, highlight=False, markup=False, emoji=False)
    columns = (BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[settled]}"), TimeRemainingColumn())
    over = threading.Event()
    with Progress(*columns, console=console, auto_refresh=False) as progress:
        shown = Bar(progress, console, total)

        def draw() -> None:
            while not over.wait(1 / REDRAWS_PER_SECOND):
                shown.draw()

        thread = threading.Thread(target=draw, name="progress bar", daemon=True)
        thread.start()
        try:
            yield shown
        finally:
            over.set()
            thread.join()
            shown.draw()

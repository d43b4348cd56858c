"""A progress bar on stderr, and above it what is out of the ordinary.

The event loop counts and puts remarks. The thread that writes to stderr draws, five times a second at most; rich only
lays the text out. On a terminal that moves no cursor (TERM=dumb) the bar is drawn once, at the end.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from pyanamo_async import State
from pyanamo_async.cli.event_log import line
from pyanamo_async.core.text.plural import plural
from pyanamo_async.core.text.visible import one_line, visible

SHOWN_BY_THE_BAR = frozenset({"item claimed", "worker started"})
AGAIN = {"SIGINT": "; Ctrl-C again stops now", "SIGTERM": "; a second SIGTERM stops now"}
REDRAW_S = 0.2
CLEAR_LINE = "\r\x1b[K"


@dataclass(frozen=True, slots=True)
class Remark:
    """A line above the bar."""

    event: str
    fields: dict[str, Any]

    def __str__(self) -> str:
        fields = self.fields
        match self.event:
            case "item settled":
                text = f"{fields['item']}: {fields['state']}, {fields['reason']}"
            case "stopping":
                have = "has" if fields["scripts"] == 1 else "have"
                text = f"stopping: {plural(fields['scripts'], 'script')} {have} {fields['grace']}"
                text += AGAIN.get(fields["reason"], "")
            case event:
                text = line(event, fields)
        return one_line(text)

    @property
    def style(self) -> str:
        """The style on a terminal with colours."""
        return "red" if self.fields.get("state") is State.FAILED else "yellow"


class Bar:
    """The event log and the display of a worker on a terminal; `total` is the number of items to run."""

    redraw_s = REDRAW_S

    def __init__(self, put: Callable[[object], None], total: int) -> None:
        self._put = put
        self._held = 0
        self._settled: Counter[State] = Counter()
        self._partial = self._drawn = ""
        self._console = Console(stderr=True, highlight=False, markup=False, emoji=False)
        columns = (BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[settled]}"), TimeRemainingColumn())
        self._progress = Progress(*columns, console=self._console, auto_refresh=False)
        self._task = self._progress.add_task("", total=total, settled="")

    def note(self, event: str, /, **fields: object) -> None:
        """Count the event, and put it above the bar if it is unusual."""
        state = fields.get("state")
        if event == "item claimed":
            self._held += 1
        elif event in {"item settled", "item lost"}:
            self._held -= 1
        if isinstance(state, State):
            self._settled[state] += 1
        if event not in SHOWN_BY_THE_BAR and state is not State.DONE:
            self._put(Remark(event, fields))

    def render(self, values: Sequence[object], *, last: bool) -> str:
        """Return the control characters and text that put lines above the bar, and the bar anew."""
        moves = not self._console.is_dumb_terminal
        with self._console.capture() as above:
            for value in values:
                self._print(value)
            if last and self._partial:
                self._print("\n")
        bar = self._bar() if moves or last else ""
        if not values and not last and bar == self._drawn:
            return ""
        self._drawn = bar
        return f"{CLEAR_LINE * moves}{above.get()}{bar}{chr(10) * last}"

    def _print(self, value: object) -> None:
        """Lay out a remark, or what was written to stderr up to the last line end."""
        if isinstance(value, Remark):
            self._console.print(str(value), style=value.style, soft_wrap=True)
            return
        *lines, self._partial = f"{self._partial}{value}".split("\n")
        for each in lines:
            self._console.print(visible(each), soft_wrap=True)

    def _bar(self) -> str:
        ended = self._settled[State.DONE] + self._settled[State.FAILED]
        failed = f", {self._settled[State.FAILED]} failed" if self._settled[State.FAILED] else ""
        self._progress.update(self._task, completed=ended, settled=f"{self._held} running{failed}")
        with self._console.capture() as bar:
            self._console.print(self._progress.get_renderable())
        return bar.get().partition("\n")[0]  # a second line could not be taken back
